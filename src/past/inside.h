/* What the files of this room share: the members of an object's metadata stand alike in its .meta
 * and in a manifest's line. */
#ifndef PAST_INSIDE_H
#define PAST_INSIDE_H

#include <jansson.h>

#include "past/past.h"

/* "version":1,... without the brackets around it, behind what is in `out`. */
void past_members_write(const struct past_object *object, struct buf *out);
enum rc past_members_read(json_t *json, struct past_object *ret_object, struct fault *fault);

/* One JSON object of a version that we know. The caller gives it back with json_decref. */
enum rc past_json_load(struct slice text, json_t **ret_object, struct fault *fault);

/* log/STREAM/yyyy/mm/dd/hh/ */
void past_hour_prefix(const char *stream, int64_t hour_us, char ret_prefix[PAST_KEY_MAX]);

#endif
