#include "base/buf.h"
#include "store/store.h"
