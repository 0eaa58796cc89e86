/* Patterns over names; see glob.h. */
#include "base/glob.h"

bool glob_match(struct slice pattern, struct slice text)
{
	size_t p = 0, t = 0;
	size_t star = SIZE_MAX,
	       star_text = 0; /* where to come back to: one more byte for the last star */
	while (t < text.len) {
		bool escaped = p + 1 < pattern.len && pattern.at[p] == '\\';
		if (!escaped && p < pattern.len && pattern.at[p] == '*') {
			star = p++;
			star_text = t;
		} else if (escaped && pattern.at[p + 1] == text.at[t]) {
			p += 2;
			t++;
		} else if (!escaped && p < pattern.len &&
			(pattern.at[p] == '?' || pattern.at[p] == text.at[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++star_text;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.at[p] == '*')
		p++;
	return p == pattern.len;
}

bool glob_match_table(struct slice pattern, struct slice database, struct slice table)
{
	size_t dot = 0;
	while (dot < pattern.len && pattern.at[dot] != '.')
		dot += pattern.at[dot] == '\\' && dot + 1 < pattern.len ? 2 : 1;
	if (dot >= pattern.len)
		return glob_match(pattern, database);
	return glob_match(slice_of(pattern.at, dot), database) &&
		glob_match(slice_of(pattern.at + dot + 1, pattern.len - dot - 1), table);
}
