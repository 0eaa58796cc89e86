/* Beginning a new segment; see log.h and docs/formats/segment.md.
 *
 * The new file is made under the name .new: its head written, its space allocated, all of it
 * synced. Only then is the old one sealed (cut to its length, synced), and only then does the new
 * one get its name. So a file named .seg always has a whole head, and there is a next segment only
 * where the one before it is complete and durable. What a full disk refuses is refused before
 * anything changed.
 *
 * The index of the sealed segment is a convenience: it is not synced, and an error in writing it is
 * none, because readers check it and can do without.
 *
 * Thread: THREAD_LOG. */
#include <assert.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/disk.h"
#include "base/mem.h"
#include "log/writer.h"

/* A segment on its way to become the last one. */
struct fresh {
	struct segment_name name;
	struct segment_head head;
	char *path, *path_new;
	int fd;
	uint64_t size;
};

static void release_fresh(struct fresh *fresh)
{
	struct fault ignored; /* what stays behind is removed when the log is opened */
	disk_close(fresh->fd);
	if (fresh->path_new && disk_unlink(fresh->path_new, &ignored) != RC_OK)
		ignored.rc = RC_OK;
	mem_free(fresh->path);
	mem_free(fresh->path_new);
}

static enum rc build_head(
	const struct log *log, struct fresh *fresh, struct buf *out, struct fault *fault)
{
	struct buf owner = buf_of(OWNER_MAX);
	enum rc rc = RC_OK;
	if (log->options.write_head)
		rc = log->options.write_head(log->options.context, &owner, fault);
	int64_t now_us = clock_wall_us();
	if (now_us < log->written.arrival_us)
		now_us = log->written.arrival_us;
	fresh->head = (struct segment_head){
		.number = fresh->name.number,
		.first_ordinal = fresh->name.first_ordinal,
		.created_us = now_us,
		.born_us = log->born_us ? log->born_us : now_us,
		.previous_batch = log->last_batch,
		.previous_arrival_us = log->written.arrival_us,
		.previous_crc = log->last_crc,
	};
	if (log->fd >= 0)
		fresh->head.previous_end = address_of(log->head.number, log->offset);
	if (rc == RC_OK && owner.rc != RC_OK)
		rc = fault_set(fault, owner.rc,
			"what is to be kept at the head of a segment is larger than %d bytes",
			OWNER_MAX);
	if (rc == RC_OK)
		segment_head_write(&fresh->head, buf_as_slice(&owner), out);
	buf_release(&owner);
	return rc;
}

static enum rc write_file(const struct log *log, struct fresh *fresh, struct slice head,
	uint64_t len, struct fault *fault)
{
	uint64_t room = segment_room(fresh->name.number, log->options.segment_size);
	fresh->size = align_up(fresh->head.head_len + (room > len ? room : len), SEGMENT_ALIGN);
	struct iovec part = {(void *)(uintptr_t)head.at, head.len};
	enum rc rc = disk_open(fresh->path_new, O_RDWR | O_CREAT | O_TRUNC, &fresh->fd, fault);
	if (rc == RC_OK)
		rc = disk_allocate(fresh->fd, fresh->path_new, 0, fresh->size, fault);
	if (rc == RC_OK)
		rc = disk_write(fresh->fd, fresh->path_new, &part, 1, 0, fault);
	if (rc == RC_OK)
		rc = disk_sync(fresh->fd, fresh->path_new, fault);
	return rc;
}

/* An error of the owner, who cannot say what belongs into the head, changes nothing. */
static enum rc make_fresh(struct log *log, struct fresh *fresh, uint64_t len, struct fault *fault)
{
	assert(log->head.number < UINT32_MAX);
	fresh->name.number = log->head.number + 1;
	fresh->name.first_ordinal = log->written.next_ordinal;
	fresh->path = segment_path(log->folder, &fresh->name, SEGMENT_DATA);
	fresh->path_new = segment_path(log->folder, &fresh->name, SEGMENT_DATA_NEW);
	struct buf head = buf_of(OWNER_MAX + SEGMENT_ALIGN * 2);
	enum rc rc = build_head(log, fresh, &head, fault);
	if (rc == RC_OK) {
		rc = write_file(log, fresh, buf_as_slice(&head), len, fault);
		if (rc != RC_OK && rc != RC_DISK_FULL)
			rc = log_fail(log, fault);
	}
	buf_release(&head);
	return rc;
}

/* Cuts the last segment to its length: what was allocated and not used goes back. */
static enum rc seal_last(struct log *log, struct fault *fault)
{
	if (log->fd < 0)
		return RC_OK;
	enum rc rc = disk_truncate(log->fd, log->path, log->offset, fault);
	if (rc == RC_OK)
		rc = disk_sync(log->fd, log->path, fault);
	if (rc != RC_OK)
		return log_fail(log, fault);
	struct log_segment *last = &log->segments[log->segment_count - 1];
	last->bytes = log->size = log->offset;
	last->has_arrival = true;
	last->last_arrival_us = log->written.arrival_us;
	log->has_unsynced = false;
	crash_point(CRASH_ROLL);
	return RC_OK;
}

static void write_index(const struct log *log)
{
	struct segment_name name = {log->head.number, log->head.first_ordinal};
	char *path = segment_path(log->folder, &name, SEGMENT_INDEX);
	struct buf bytes = buf_of(INDEX_FIXED + log->entry_count * INDEX_ENTRY + 4);
	struct index_of of = {log->head.number, log->head.crc, log->offset};
	index_write(&of, log->entries, log->entry_count, &bytes);
	struct iovec part = {bytes.at, bytes.len};
	struct fault ignored;
	int fd = -1;
	if (disk_open(path, O_WRONLY | O_CREAT | O_TRUNC, &fd, &ignored) == RC_OK &&
		disk_write(fd, path, &part, 1, 0, &ignored) != RC_OK)
		ignored.rc = RC_OK;
	disk_close(fd);
	buf_release(&bytes);
	mem_free(path);
}

/* Gives the new segment its name. In doubt about it, the log has failed. */
static enum rc enthrone(struct log *log, struct fresh *fresh, struct fault *fault)
{
	enum rc rc = disk_rename(fresh->path_new, fresh->path, fault);
	if (rc == RC_DISK_FULL)
		return rc; /* the old one is sealed: the next append tries again */
	if (rc == RC_OK)
		rc = disk_sync_folder(log->folder, fault);
	if (rc != RC_OK)
		return log_fail(log, fault);
	crash_point(CRASH_ROLLED);
	return RC_OK;
}

static void take_over(struct log *log, struct fresh *fresh)
{
	disk_close(log->fd);
	mem_free(log->path);
	log->fd = fresh->fd;
	log->path = fresh->path;
	log->head = fresh->head;
	log->born_us = fresh->head.born_us;
	log->offset = fresh->head.head_len;
	log->size = fresh->size;
	log->durable = address_of(log->head.number, log->offset);
	log->entry_count = 0;
	log_add_segment(log, &fresh->name, fresh->size);
	mem_free(fresh->path_new);
	*fresh = (struct fresh){.fd = -1};
}

enum rc log_roll(struct log *log, uint64_t len, struct fault *fault)
{
	struct fresh fresh = {.fd = -1};
	enum rc rc = make_fresh(log, &fresh, len, fault);
	if (rc == RC_OK)
		rc = seal_last(log, fault);
	if (rc == RC_OK)
		rc = enthrone(log, &fresh, fault);
	if (rc == RC_OK) {
		if (log->entry_count > 0)
			write_index(log);
		take_over(log, &fresh);
	}
	release_fresh(&fresh);
	return rc;
}

/* ---- bookkeeping ---- */

void log_add_segment(struct log *log, const struct segment_name *name, uint64_t bytes)
{
	log->segments = mem_resize(log->segments, (log->segment_count + 1) * sizeof *log->segments);
	log->segments[log->segment_count++] = (struct log_segment){.name = *name, .bytes = bytes};
}

/* The first entry stands for the segment's head and has its borders: after a restart the batches
 * that came before it are not known any more. */
void log_index_batch(struct log *log, const struct batch_head *head)
{
	struct index_entry entry = {
		.offset = log->head.head_len,
		.first_ordinal = log->head.first_ordinal,
		.arrival_us = log->head.previous_arrival_us,
		.stream_time_us = 0,
	};
	uint64_t offset = address_offset(head->address);
	if (log->entry_count > 0) {
		if (offset - log->entries[log->entry_count - 1].offset < INDEX_STEP)
			return;
		entry = (struct index_entry){.offset = offset,
			.first_ordinal = head->first_ordinal,
			.arrival_us = head->arrival_us,
			.stream_time_us = head->stream_time_us};
	}
	log->entries = mem_resize(log->entries, (log->entry_count + 1) * sizeof *log->entries);
	log->entries[log->entry_count++] = entry;
}
