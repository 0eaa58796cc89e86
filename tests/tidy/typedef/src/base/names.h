/* Function types may have names. */
typedef int (*callback)(void *context);
typedef struct bad {
	int a;
} bad;
typedef enum { ONE } also_bad;
