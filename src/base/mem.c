/* Allocation; see mem.h. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
	if (memory)
		return memory;
	static const char message[] = "millstream: out of memory\n";
	(void)!fwrite(message, 1, sizeof message - 1, stderr);
	abort();
}

void *mem_new(size_t count, size_t size)
{
	return checked(calloc(count ? count : 1, size ? size : 1));
}

void *mem_resize(void *old, size_t size)
{
	return checked(realloc(old, size ? size : 1));
}

char *mem_text_of(const void *bytes, size_t length)
{
	char *text = checked(malloc(length + 1));
	if (length)
		memcpy(text, bytes, length);
	text[length] = 0;
	return text;
}

char *mem_text(const char *text)
{
	return mem_text_of(text, strlen(text));
}

char *mem_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	return checked(length < 0 ? NULL : text);
}

void mem_free(void *memory)
{
	free(memory);
}
