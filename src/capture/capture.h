/* The role capture: follows one source into one stream.
 *
 * binlog packet -> event -> rows decoded in place -> lines encoded once, straight into the open
 * batch of the hub. The position that a batch ends at goes with it, so that a restart goes on
 * exactly behind what is durable (law 2), also in the middle of a large transaction.
 *
 * What cannot be decoded stops the capture, names the event (file, position, GTID, type, bytes) and
 * the way on (law 1).
 *
 * Thread: one, THREAD_SOURCE, started by capture_start. The functions below are main's. */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include "hub/hub.h"
#include "mysql/mysql.h"

struct capture_options {
	struct mysql_options source;
	const char *start; /* of a new stream: earliest, now, gtid:SET, FILE:POSITION */
	const char *const *tables,
		*const *exclude, *const *json_columns, *const *skip; /* as in the configuration */
	size_t table_count, exclude_count, json_column_count, skip_count;
	uint32_t replica_id; /* not 0 */
	int64_t heartbeat_us, reconnect_max_us;
	size_t max_row;    /* bytes of an event that is taken */
	size_t batch_size; /* as the hub's */
	bool until_end;    /* stop at what was the end of the binlog at the start */
	struct hub *hub;
	struct stage *stage;
};

struct capture;

/* Checks what can be checked without the source (RC_CONFIG: start, skip), and starts the thread.
 * Texts are borrowed until capture_join. */
MUST_USE enum rc capture_start(
	const struct capture_options *options, struct capture **ret_capture, struct fault *fault);

/* Asks it to end soon: what is complete is committed first. */
void capture_stop(struct capture *capture);

/* Whether its thread has ended by itself: the end of the binlog (until_end), or a fault. */
bool capture_has_ended(const struct capture *capture);

/* Waits for its end and frees it: RC_OK (stopped, or end reached), or the fault that stopped it.
 * Accepts NULL. */
enum rc capture_join(struct capture *capture, struct fault *fault);

/* Bytes that a record takes at the most with these options: what hub_options.line_max has to be. */
size_t capture_line_max(size_t max_row);

#endif
