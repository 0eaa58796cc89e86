/* The page, embedded at build time (tools/embed.py). */
#ifndef CONSOLE_PAGE_H
#define CONSOLE_PAGE_H

#include <stddef.h>

extern const unsigned char console_page[];
extern const size_t console_page_len;

/* Its Content-Security-Policy: nothing but the script and the style that are in it, by their
 * SHA-256. */
extern const char console_page_policy[];

#endif
