/* Allocation. True lack of memory ends the process here, in one place; limits are ordinary errors
 * and belong to buffers (buf.h). Nothing else in the tree calls malloc.
 *
 * Thread: any. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

/* Zeroed memory; never NULL. The caller frees it with mem_free. */
void *mem_new(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Like realloc, not zeroed; never NULL for size > 0. */
void *mem_resize(void *old, size_t size) __attribute__((returns_nonnull));

/* A NUL-terminated copy. */
char *mem_text(const char *text) __attribute__((malloc, returns_nonnull, nonnull));
char *mem_text_of(const void *bytes, size_t length) __attribute__((malloc, returns_nonnull));

/* A formatted, NUL-terminated text. */
char *mem_format(const char *format, ...) __attribute__((returns_nonnull, format(printf, 1, 2)));

/* Accepts NULL. */
void mem_free(void *memory);

#endif
