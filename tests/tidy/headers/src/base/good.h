#include <stdint.h>
uint8_t good(void);
