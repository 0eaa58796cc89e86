/* Calls, also in macros; not members, not comments: malloc(1), not "malloc(1)". */
#include <time.h>
#define NOW() \
	time(NULL)
void f(struct ops *ops, char *text)
{
	ops->open("x", 0, 0);
	ops.rename("x", "y");
	int time = 1;
	char *copy = strdup(text);
	free (copy);
	sprintf(text, "%d", time);
	(void)open("x", 0);
	run((struct ops){.malloc = NULL});
}
