#include "base/nothing.h"
