/* Control statements count, braces do not. */
static int three(int a)
{
	for (int i = 0; i < a; i++) {
		if (i > 2) {
			while (a > i)
				a--;
		} else if (i > 1) {
			a = 1;
		} else {
			do
				a++;
			while (a < 3);
		}
	}
	{
		{
			{
				{
					a = (struct pair){.one = 1, .two = {1, 2}}.one;
				}
			}
		}
	}
	return a;
}

static int chain_is_flat(int a)
{
	if (a == 1)
		return 1;
	else if (a == 2)
		return 2;
	else if (a == 3)
		return 3;
	else if (a == 4)
		return 4;
	else
		return 5;
}

static void four_without_braces(int a)
{
	for (;;)
		if (a)
			while (a)
				if (a > 1)
					a--;
}

static void four_in_a_switch(int a)
{
	while (a) {
		switch (a) {
		case 1:
			break;
		case 2: {
			if (a) {
				for (int i = a > 1 ? 1 : 2; i; i--)
					a--;
			}
			break;
		}
		default:
			a--;
		}
	}
}

static void four_in_an_else(int a)
{
	if (a) {
		a++;
	} else {
		do {
			LIST_FOR_EACH (a, b) {
				if (a)
					goto out;
			}
		} while (a);
	}
out:
	a++;
}
