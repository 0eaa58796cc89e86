/* The place that may. */
void *f(void) { return malloc(1); }
void g(char *to) { strcpy(to, "x"); }
