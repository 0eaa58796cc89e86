/* One way out. */
int good(int a)
{
	if (a)
		goto out;
	a = 1;
out:
	return a;
}

int bad(int a)
{
again:
	if (a)
		goto again;
	goto out;
out:
	return a;
}
