#include "cellar/wine.h"
