/* Patterns over names: * is any run of bytes, ? one byte, \ takes the next byte as it is.
 *
 * Thread: any. */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include "base/bytes.h"

/* Whole match, case-sensitive, in time O(pattern x text) at worst. */
bool glob_match(struct slice pattern, struct slice text);

/* Matches "DATABASE.TABLE" patterns: the first dot that is not escaped divides the two halves. A
 * pattern without a dot means all tables of that database. */
bool glob_match_table(struct slice pattern, struct slice database, struct slice table);

#endif
