/* good: base has several doors */
#include <stdio.h>
#include "base/rc.h"
