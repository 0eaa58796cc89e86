/* Two calls that are excused, one that is not. */
void f(void)
{
	free(0);
	free(1);
	malloc(1);
}
