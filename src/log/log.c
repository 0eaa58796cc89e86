/* Writing the log: opening, appending, syncing; see log.h.
 *
 * What is written and what is acknowledged are two ends of the same log. log_append moves the
 * first, log_sync brings the second up to it: one fdatasync, then the tip. A failed write or sync
 * ends it for good: what the disk has then is known to nobody until recovery has read it.
 *
 * Invariants:
 *  1. end <= written, and everything below `durable` is synced; durable >= end of the last sync.
 *  2. The tip is changed by log_publish only, after a sync.
 *  3. A batch carries the checksum of the header of the batch before it, its own address, and
 *     `durable` as it was when it was written. Recovery stands on these three.
 *
 * Thread: THREAD_LOG; opening and closing before and after threads run. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/disk.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "log/writer.h"

/* ---- the lock ---- */

static enum rc tell_holder(int fd, const char *folder, struct fault *fault)
{
	char text[128] = "";
	size_t len = 0;
	struct fault ignored;
	if (disk_read_some(fd, folder, text, sizeof text - 1, 0, &len, &ignored) != RC_OK)
		len = 0;
	text[len] = 0;
	text[strcspn(text, "\n")] = 0;
	enum rc rc = fault_set(fault, RC_LOCKED, "the log in '%s' is being written by %s", folder,
		text[0] ? text : "another process");
	fault_hint(fault,
		"stop that process, or give this one a data folder of its own; reading "
		"needs no lock");
	return rc;
}

static enum rc write_holder(int fd, const char *path, struct fault *fault)
{
	uint8_t time[32];
	*json_put_time_us(time, clock_wall_us(), 0) = 0;
	char *text = mem_format("process %ld, since %s\n", (long)getpid(), (const char *)time);
	const size_t len = strlen(text);
	struct iovec part = {text, len};
	enum rc rc = disk_write(fd, path, &part, 1, 0, fault);
	if (rc == RC_OK)
		rc = disk_truncate(fd, path, len, fault);
	mem_free(text);
	return rc;
}

static enum rc lock(const char *folder, int *ret_fd, struct fault *fault)
{
	char *path = mem_format("%s/lock", folder);
	int fd = -1;
	enum rc rc = disk_open(path, O_RDWR | O_CREAT, &fd, fault);
	if (rc == RC_OK && flock(fd, LOCK_EX | LOCK_NB) != 0)
		rc = errno == EWOULDBLOCK ? tell_holder(fd, folder, fault)
					  : fault_errno(fault, RC_IO, "cannot lock '%s'", path);
	else if (rc == RC_OK)
		rc = write_holder(fd, path, fault);
	mem_free(path);
	if (rc == RC_OK)
		*ret_fd = fd;
	else
		disk_close(fd);
	return rc;
}

/* ---- opening ---- */

enum rc log_open(const struct log_options *options, struct log **ret_log, struct fault *fault)
{
	enum { SEGMENT_LEAST = SEGMENT_ALIGN };
	const uint64_t segment_most = (uint64_t)1 << 31; /* addresses have 32 bits for an offset */
	enum rc rc = disk_make_folders(options->folder, fault);
	if (rc != RC_OK)
		return rc;
	struct log *log = mem_new(1, sizeof *log);
	log->options = *options;
	log->options.folder = log->folder = mem_text(options->folder);
	if (log->options.segment_size > segment_most)
		log->options.segment_size = segment_most;
	if (log->options.segment_size < SEGMENT_LEAST)
		log->options.segment_size = SEGMENT_LEAST;
	log->fd = log->lock_fd = -1;
	log->written.is_empty = log->end.is_empty = true;
	log->written.mark = buf_of(LOG_MARK_MAX);
	log->end.mark = buf_of(LOG_MARK_MAX);
	rc = lock(log->folder, &log->lock_fd, fault);
	if (rc == RC_OK)
		rc = log_recover(log, fault);
	if (rc != RC_OK) {
		log_close(log);
		return rc;
	}
	*ret_log = log;
	return RC_OK;
}

void log_close(struct log *log)
{
	if (!log)
		return;
	disk_close(log->fd);
	disk_close(log->lock_fd); /* which gives up the lock */
	tip_close(&log->tip);
	buf_release(&log->written.mark);
	buf_release(&log->end.mark);
	mem_free(log->segments);
	mem_free(log->entries);
	mem_free(log->path);
	mem_free(log->folder);
	mem_free(log);
}

const struct log_end *log_end(const struct log *log)
{
	return &log->end;
}

/* ---- failure ---- */

enum rc log_fail(struct log *log, struct fault *fault)
{
	enum rc rc = fault->rc == RC_DISK_FULL ? RC_IO : fault->rc;
	fault->rc = rc;
	log->has_failed = true;
	log->failure = *fault;
	return rc;
}

static enum rc refuse(const struct log *log, struct fault *fault)
{
	enum rc rc = fault_set(fault, log->failure.rc,
		"the log takes nothing more since an earlier error: %s", log->failure.text);
	fault_hint(fault, "mend the cause and start again: recovery keeps what was acknowledged");
	return rc;
}

/* ---- appending ---- */

void log_note_batch(struct log *log, const struct batch_head *head, struct slice mark)
{
	struct log_end *written = &log->written;
	written->is_empty = false;
	written->next_ordinal = head->first_ordinal + head->count;
	written->address = head->address + batch_size(head);
	written->stream_time_us = head->stream_time_us;
	written->arrival_us = head->arrival_us;
	written->fingerprint = head->fingerprint;
	written->generation = head->generation;
	buf_reset(&written->mark);
	buf_slice(&written->mark, mark);
	log->last_batch = head->address;
	log->last_crc = head->crc;
}

static enum rc write_batch(struct log *log, struct log_batch *batch, struct fault *fault)
{
	int64_t now_us = clock_wall_us();
	struct batch_place place = {
		.address = address_of(log->head.number, log->offset),
		.durable = log->durable,
		.arrival_us = now_us > log->written.arrival_us ? now_us : log->written.arrival_us,
		.previous = log->last_crc,
	};
	struct batch_head head = *batch_sealed_head(batch);
	head.crc = batch_set_place(batch, &place);
	head.address = place.address;
	head.arrival_us = place.arrival_us;
	size_t count = 0;
	const struct iovec *parts = batch_parts(batch, &count);
	struct iovec *copy = mem_new(count, sizeof *copy);
	memcpy(copy, parts, count * sizeof *copy);
	enum rc rc = disk_write(log->fd, log->path, copy, (int)count, log->offset, fault);
	mem_free(copy);
	if (rc == RC_DISK_FULL) /* what got there lies behind the end and will be written over */
		return rc;
	if (rc != RC_OK)
		return log_fail(log, fault);
	log->offset += batch_size(&head);
	log->has_unsynced = true;
	log_note_batch(log, &head, batch_sealed_mark(batch));
	log_index_batch(log, &head);
	return RC_OK;
}

enum rc log_append(struct log *log, struct log_batch *batch, struct fault *fault)
{
	thread_assert(THREAD_LOG);
	const struct batch_head *head = batch_sealed_head(batch);
	if (log->has_failed)
		return refuse(log, fault);
	assert(head->first_ordinal >= log->written.next_ordinal);
	struct fault local;
	enum rc rc = RC_OK;
	if (log->fd < 0 || log->offset + batch_size(head) > log->size)
		rc = log_roll(log, batch_size(head), &local);
	if (rc == RC_OK)
		rc = write_batch(log, batch, &local);
	if (rc != RC_OK && fault)
		*fault = local;
	return rc;
}

/* ---- syncing ---- */

void log_publish(struct log *log)
{
	struct log_end *end = &log->end, *written = &log->written;
	struct buf mark = end->mark;
	uint64_t cut_bytes = end->cut_bytes, cut_batches = end->cut_batches;
	*end = *written;
	end->mark = mark;
	end->cut_bytes = cut_bytes;
	end->cut_batches = cut_batches;
	buf_reset(&end->mark);
	buf_slice(&end->mark, buf_as_slice(&written->mark));
	if (log->durable < written->address)
		log->durable = written->address;
	log->acknowledged_batch = log->last_batch;
	tip_publish(&log->tip, log->last_batch, log->born_us);
}

enum rc log_sync(struct log *log, struct fault *fault)
{
	thread_assert(THREAD_LOG);
	if (log->has_failed)
		return refuse(log, fault);
	if (log->last_batch == log->acknowledged_batch)
		return RC_OK;
	crash_point(CRASH_APPEND);
	struct fault local;
	if (log->has_unsynced && disk_sync(log->fd, log->path, &local) != RC_OK) {
		enum rc rc = log_fail(log, &local);
		if (fault)
			*fault = local;
		return rc;
	}
	log->has_unsynced = false;
	crash_point(CRASH_ACKNOWLEDGE);
	log_publish(log);
	return RC_OK;
}
