#include "base/good.h"
size_t needs_stddef;
