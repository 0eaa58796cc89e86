/* Row changes into lines; see encode.c.
 *
 * Thread: source. */
#ifndef CAPTURE_ENCODE_H
#define CAPTURE_ENCODE_H

#include "capture/plans.h"
#include "capture/writer.h"

/* Buffers that encoding keeps between rows. */
struct encoder {
	struct slice *before, *after; /* spans of the two row images */
	size_t before_len, after_len; /* bytes of the images; 0 for one that there is not */
	size_t span_cap;
	struct buf scratch, key, old_key; /* partition keys */
	struct buf prefix, extra_prefix;  /* heads of lines, the same for all rows of an event */
};

void encoder_init(struct encoder *encoder);
void encoder_release(struct encoder *encoder);

/* One row event of a captured table, about to be encoded. */
struct encode_event {
	const struct plan *plan;
	const struct event_origin *origin;
	uint64_t pos;
	enum binlog_change change;
};

/* Makes ready what the rows of an event share. */
void encode_begin(struct encoder *encoder, const struct encode_event *event);

/* Room for the spans of a table's columns. */
void encoder_spans(struct encoder *encoder, size_t column_count);

/* Encodes one row change, whose images are in encoder->before and ->after, as one line (or two: a
 * delete and a create, when the key changed or there is none). `row` is its number in the
 * transaction. RC_CORRUPT names the column whose value cannot be told. */
MUST_USE enum rc encode_row(struct encoder *encoder, struct writer *writer,
	const struct encode_event *event, uint64_t row, struct fault *fault);

#endif
