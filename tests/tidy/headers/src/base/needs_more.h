int fine(void);
uint8_t needs_stdint(void);
