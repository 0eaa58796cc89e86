#include "base/good.h"

/* too late */
