/* A file that is excused as a whole. */
void f(void)
{
	free(0);
	malloc(1);
}
