/* Lines between the braces count, comments too. */
struct not_a_function {
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
	int member;
};

#define A_MACRO(x) { \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
	x; \
}

static int seventy(int a)
{
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	a++;
	return a;
}

int seventy_one(int a, int (*call)(int b))
{
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	/* a brace in a comment: } */
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	a = call('}') + "{"[0];
	return a;
}

static const int table[] = {
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
	1,
};

void with_attribute(const char *format, ...) __attribute__((format(printf, 1, 2))) PRINTF_LIKE(1, 2)
{
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
	;
}
