/* A disk for tests: it fails, fills up, or loses power. Stands behind base/disk.h.
 *
 * Failing: fault_disk_fail makes the Nth call from now fail, once or from then on. A write that
 * fails has written half of its bytes. fault_disk_full makes everything that needs space fail.
 *
 * Losing power: fault_disk_record notes all that happens to a folder. fault_disk_image then builds
 * that folder as a power cut after any of the noted events could have left it: what was synced is
 * there; of what was not, any part may be: nothing, everything, some sectors of some writes, an
 * entry of the folder but not its contents. What a failed sync should have written is not made
 * durable by a later one (the kernel takes such pages for written). Renames are whole or not there.
 * A file that is mapped and written through memory (`mapped`) counts as never synced, its pages as
 * written back at any time.
 *
 * The files themselves are real, in a temporary folder; syncs are skipped, which makes it fast. */
#ifndef TESTS_FAULT_DISK_H
#define TESTS_FAULT_DISK_H

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/disk.h"

enum { FAULT_FILES = 256, FAULT_NAMES = 64, FAULT_SECTOR = 512, FAULT_FDS = 1024 };

enum fault_kind {
	FAULT_WRITE,
	FAULT_TRUNCATE,
	FAULT_ALLOCATE,
	FAULT_SYNC,
	FAULT_LOST, /* a sync that failed: what was to be written may never be, by no later sync */
	FAULT_NAME, /* `name` becomes `file`; `other`, if any, is gone (rename) */
	FAULT_UNNAME, /* `name` is gone */
	FAULT_SYNC_FOLDER,
	FAULT_MARK, /* the test's own */
};

struct fault_event {
	enum fault_kind kind;
	int file;
	size_t offset, len;
	uint8_t *bytes;
	char *name, *other;
	uint64_t mark, mark2;
};

struct fault_content {
	uint8_t *bytes;
	size_t len;
};

/* Which names there are, and what file each means. */
struct fault_names {
	struct {
		char *name;
		int file;
	} at[FAULT_NAMES];
	size_t count;
};

static struct {
	/* failing */
	long calls, fail_at;
	int error;
	bool for_ever, is_full;
	/* recording */
	char *folder, *mapped;
	int mapped_file;
	int of_fd[FAULT_FDS];                    /* file + 1 */
	struct fault_content first[FAULT_FILES]; /* contents when recording began */
	int file_count;
	struct fault_names first_names, names;
	struct fault_event *events;
	size_t event_count;
} fault_disk;

/* ---- names ---- */

static inline int fault_find(const struct fault_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->at[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static inline void fault_unset(struct fault_names *names, const char *name)
{
	int i = fault_find(names, name);
	if (i < 0)
		return;
	free(names->at[i].name);
	names->at[i] = names->at[--names->count];
}

static inline void fault_set_name(struct fault_names *names, const char *name, int file)
{
	fault_unset(names, name);
	assert_true(names->count < FAULT_NAMES);
	names->at[names->count].name = strdup(name);
	names->at[names->count++].file = file;
}

static inline void fault_copy_names(struct fault_names *to, const struct fault_names *from)
{
	for (size_t i = 0; i < from->count; i++)
		fault_set_name(to, from->at[i].name, from->at[i].file);
}

static inline void fault_clear_names(struct fault_names *names)
{
	while (names->count > 0)
		free(names->at[--names->count].name);
}

/* The name inside of the recorded folder, or NULL. */
static inline const char *fault_inside(const char *path)
{
	size_t len = fault_disk.folder ? strlen(fault_disk.folder) : 0;
	bool is_inside = len > 0 && strncmp(path, fault_disk.folder, len) == 0 && path[len] == '/';
	return is_inside ? path + len + 1 : NULL;
}

/* ---- events ---- */

static inline void fault_add_event(struct fault_event event)
{
	fault_disk.events = realloc(
		fault_disk.events, (fault_disk.event_count + 1) * sizeof *fault_disk.events);
	assert_non_null(fault_disk.events);
	fault_disk.events[fault_disk.event_count++] = event;
}

static inline struct fault_content fault_load(const char *path)
{
	struct fault_content content = {0};
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	struct stat facts;
	assert_int_equal(fstat(fd, &facts), 0);
	content.len = (size_t)facts.st_size;
	content.bytes = malloc(content.len + 1);
	assert_int_equal(pread(fd, content.bytes, content.len, 0), facts.st_size);
	close(fd);
	return content;
}

/* Pages that were written through memory since the last event. */
static inline void fault_note_mapped(void)
{
	int i = fault_disk.mapped ? fault_find(&fault_disk.names, fault_disk.mapped) : -1;
	if (i < 0)
		return;
	char path[512];
	snprintf(path, sizeof path, "%s/%s", fault_disk.folder, fault_disk.mapped);
	struct fault_content now = fault_load(path), last = {0};
	int file = fault_disk.names.at[i].file;
	last = fault_disk.first[file];
	for (size_t e = 0; e < fault_disk.event_count; e++) {
		const struct fault_event *event = &fault_disk.events[e];
		if (event->kind == FAULT_WRITE && event->file == file && event->len == now.len)
			last = (struct fault_content){event->bytes, event->len};
	}
	if (last.len == now.len && memcmp(last.bytes, now.bytes, now.len) == 0)
		free(now.bytes);
	else
		fault_add_event((struct fault_event){
			.kind = FAULT_WRITE, .file = file, .len = now.len, .bytes = now.bytes});
}

static inline void fault_note(struct fault_event event)
{
	if (!fault_disk.folder)
		return;
	fault_note_mapped();
	fault_add_event(event);
}

static inline int fault_file_of(int fd)
{
	return fd >= 0 && fd < FAULT_FDS ? fault_disk.of_fd[fd] - 1 : -1;
}

/* ---- the operations ---- */

static inline bool fault_strikes(void)
{
	fault_disk.calls++;
	bool strikes = fault_disk.fail_at > 0 &&
		(fault_disk.calls == fault_disk.fail_at ||
			(fault_disk.for_ever && fault_disk.calls > fault_disk.fail_at));
	if (strikes)
		errno = fault_disk.error;
	return strikes;
}

static inline int fault_open(const char *path, int flags, mode_t mode)
{
	if (fault_strikes())
		return -1;
	const char *name = fault_inside(path);
	bool is_there = access(path, F_OK) == 0;
	int fd = disk_system.open(path, flags, mode);
	if (fd < 0 || fd >= FAULT_FDS)
		return fd;
	fault_disk.of_fd[fd] = 0;
	if (!name)
		return fd;
	int i = fault_find(&fault_disk.names, name);
	int file = i >= 0 ? fault_disk.names.at[i].file : -1;
	if (!is_there) {
		file = fault_disk.file_count++;
		assert_true(file < FAULT_FILES);
		fault_set_name(&fault_disk.names, name, file);
		fault_note((struct fault_event){
			.kind = FAULT_NAME, .file = file, .name = strdup(name)});
	} else if (flags & O_TRUNC) {
		fault_note((struct fault_event){.kind = FAULT_TRUNCATE, .file = file});
	}
	fault_disk.of_fd[fd] = file + 1;
	return fd;
}

static inline int fault_close(int fd)
{
	if (fd >= 0 && fd < FAULT_FDS)
		fault_disk.of_fd[fd] = 0;
	return disk_system.close(fd);
}

static inline ssize_t fault_pread(int fd, void *bytes, size_t len, off_t offset)
{
	return fault_strikes() ? -1 : disk_system.pread(fd, bytes, len, offset);
}

static inline void fault_note_write(
	int fd, const struct iovec *parts, int count, off_t offset, size_t len)
{
	int file = fault_file_of(fd);
	if (file < 0 || !fault_disk.folder || len == 0)
		return;
	struct fault_event event = {
		.kind = FAULT_WRITE, .file = file, .offset = (size_t)offset, .len = len};
	event.bytes = malloc(len);
	size_t done = 0;
	for (int i = 0; i < count && done < len; i++) {
		size_t some = parts[i].iov_len < len - done ? parts[i].iov_len : len - done;
		memcpy(event.bytes + done, parts[i].iov_base, some);
		done += some;
	}
	fault_note(event);
}

static inline ssize_t fault_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	bool strikes = fault_strikes();
	if (fault_disk.is_full) {
		strikes = true;
		errno = ENOSPC;
	}
	int error = errno;
	if (strikes && parts[0].iov_len > 1) { /* half of the first part gets there */
		struct iovec half = {parts[0].iov_base, parts[0].iov_len / 2};
		ssize_t wrote = disk_system.pwritev(fd, &half, 1, offset);
		fault_note_write(fd, &half, 1, offset, wrote > 0 ? (size_t)wrote : 0);
	}
	errno = error;
	if (strikes)
		return -1;
	ssize_t wrote = disk_system.pwritev(fd, parts, count, offset);
	if (wrote > 0)
		fault_note_write(fd, parts, count, offset, (size_t)wrote);
	return wrote;
}

static inline int fault_sync_data(int fd)
{
	bool strikes = fault_strikes();
	int error = errno;
	if (fault_file_of(fd) >= 0)
		fault_note((struct fault_event){
			.kind = strikes ? FAULT_LOST : FAULT_SYNC, .file = fault_file_of(fd)});
	errno = error;
	return strikes ? -1 : 0;
}

static inline int fault_allocate(int fd, off_t offset, off_t length)
{
	if (fault_strikes())
		return fault_disk.error;
	if (fault_disk.is_full)
		return ENOSPC;
	int number = disk_system.allocate(fd, offset, length);
	if (number == 0 && fault_file_of(fd) >= 0)
		fault_note((struct fault_event){.kind = FAULT_ALLOCATE,
			.file = fault_file_of(fd),
			.len = (size_t)(offset + length)});
	return number;
}

static inline int fault_truncate(int fd, off_t length)
{
	if (fault_strikes())
		return -1;
	int result = disk_system.truncate(fd, length);
	if (result == 0 && fault_file_of(fd) >= 0)
		fault_note((struct fault_event){
			.kind = FAULT_TRUNCATE, .file = fault_file_of(fd), .len = (size_t)length});
	return result;
}

static inline void fault_note_name(const char *path, const char *gone)
{
	const char *name = fault_inside(path), *other = gone ? fault_inside(gone) : NULL;
	if (!name)
		return;
	int i = fault_find(&fault_disk.names, other ? other : name);
	int file = i >= 0 ? fault_disk.names.at[i].file : -1;
	fault_set_name(&fault_disk.names, name, file);
	if (other)
		fault_unset(&fault_disk.names, other);
	fault_note((struct fault_event){.kind = FAULT_NAME,
		.file = file,
		.name = strdup(name),
		.other = other ? strdup(other) : NULL});
}

static inline int fault_rename(const char *from, const char *to)
{
	if (fault_strikes())
		return -1;
	int result = disk_system.rename(from, to);
	if (result == 0)
		fault_note_name(to, from);
	return result;
}

static inline int fault_link(const char *from, const char *to)
{
	if (fault_strikes())
		return -1;
	int result = disk_system.link(from, to);
	const char *name = fault_inside(to), *old = fault_inside(from);
	if (result == 0 && name && old) {
		int file = fault_disk.names.at[fault_find(&fault_disk.names, old)].file;
		fault_set_name(&fault_disk.names, name, file);
		fault_note((struct fault_event){
			.kind = FAULT_NAME, .file = file, .name = strdup(name)});
	}
	return result;
}

static inline int fault_unlink(const char *path)
{
	if (fault_strikes())
		return -1;
	int result = disk_system.unlink(path);
	const char *name = fault_inside(path);
	if (result == 0 && name) {
		fault_unset(&fault_disk.names, name);
		fault_note((struct fault_event){.kind = FAULT_UNNAME, .name = strdup(name)});
	}
	return result;
}

static inline int fault_sync_folder(const char *path)
{
	if (fault_strikes())
		return -1;
	if (fault_disk.folder && strcmp(path, fault_disk.folder) == 0)
		fault_note((struct fault_event){.kind = FAULT_SYNC_FOLDER});
	return 0;
}

static const struct disk_ops fault_disk_ops = {
	.open = fault_open,
	.close = fault_close,
	.pread = fault_pread,
	.pwritev = fault_pwritev,
	.sync_data = fault_sync_data,
	.allocate = fault_allocate,
	.truncate = fault_truncate,
	.rename = fault_rename,
	.link = fault_link,
	.unlink = fault_unlink,
	.sync_folder = fault_sync_folder,
};

/* ---- failing ---- */

/* Puts this disk behind base/disk.h; nothing fails yet, and nothing is synced. */
static inline void fault_disk_start(void)
{
	disk_ops = &fault_disk_ops;
	fault_disk.calls = fault_disk.fail_at = 0;
	fault_disk.is_full = false;
}

static inline void fault_disk_stop(void)
{
	disk_ops = &disk_system;
}

/* The `nth` call from now on (1: the next one) fails with `error`; `for_ever`: all after it too. 0:
 * none. */
static inline void fault_disk_fail(long nth, int error, bool for_ever)
{
	fault_disk.calls = 0;
	fault_disk.fail_at = nth;
	fault_disk.error = error;
	fault_disk.for_ever = for_ever;
}

/* Whether the call that was to fail has come. */
static inline bool fault_disk_has_struck(void)
{
	return fault_disk.fail_at > 0 && fault_disk.calls >= fault_disk.fail_at;
}

static inline void fault_disk_full(bool is_full)
{
	fault_disk.is_full = is_full;
}

/* ---- recording ---- */

/* From now on, what happens to the files in `folder`. `mapped`: the name of a file that is written
 * through memory, or NULL. */
static inline void fault_disk_record(const char *folder, const char *mapped)
{
	fault_disk.mapped = mapped ? strdup(mapped) : NULL;
	fault_disk.file_count = 0;
	DIR *entries = opendir(folder);
	for (struct dirent *entry; entries && (entry = readdir(entries));) {
		if (entry->d_name[0] == '.')
			continue;
		char path[512];
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		fault_disk.first[fault_disk.file_count] = fault_load(path);
		fault_set_name(&fault_disk.names, entry->d_name, fault_disk.file_count++);
	}
	if (entries)
		closedir(entries);
	fault_copy_names(&fault_disk.first_names, &fault_disk.names);
	fault_disk.folder = strdup(folder);
}

/* Notes what the test knows at this point: of an image, fault_disk_marked says the last one. */
static inline void fault_disk_mark(uint64_t mark, uint64_t mark2)
{
	fault_note((struct fault_event){.kind = FAULT_MARK, .mark = mark, .mark2 = mark2});
}

/* A recording taken out, so that another one can be made meanwhile. */
struct fault_recording {
	struct fault_content first[FAULT_FILES];
	int file_count;
	struct fault_names first_names;
	struct fault_event *events;
	size_t event_count;
};

static inline void fault_disk_end_record(struct fault_recording *recording)
{
	fault_note_mapped();
	memcpy(recording->first, fault_disk.first, sizeof recording->first);
	recording->file_count = fault_disk.file_count;
	recording->first_names = fault_disk.first_names;
	recording->events = fault_disk.events;
	recording->event_count = fault_disk.event_count;
	fault_clear_names(&fault_disk.names);
	free(fault_disk.folder);
	free(fault_disk.mapped);
	memset(&fault_disk, 0, sizeof fault_disk);
}

static inline void fault_recording_release(struct fault_recording *recording)
{
	for (size_t i = 0; i < recording->event_count; i++) {
		free(recording->events[i].bytes);
		free(recording->events[i].name);
		free(recording->events[i].other);
	}
	free(recording->events);
	for (int i = 0; i < recording->file_count; i++)
		free(recording->first[i].bytes);
	fault_clear_names(&recording->first_names);
	memset(recording, 0, sizeof *recording);
}

/* ---- images ---- */

enum fault_variant {
	FAULT_NOTHING, /* of what was not synced */
	FAULT_ALL,     /* as after a kill */
	FAULT_PREFIX,  /* all writes but the last sectors of the last one */
	FAULT_LAST,    /* of each file only the last one of the writes */
	FAULT_RANDOM,  /* this and all above it: any sectors of any writes */
};

struct fault_image {
	struct fault_content files[FAULT_FILES];
	struct fault_names names;
	uint64_t state; /* of the random numbers */
};

static inline bool fault_coin(struct fault_image *image)
{
	image->state = image->state * 6364136223846793005u + 1442695040888963407u;
	return image->state >> 63;
}

static inline void fault_resize(struct fault_content *content, size_t len)
{
	content->bytes = realloc(content->bytes, len + 1);
	if (len > content->len)
		memset(content->bytes + content->len, 0, len - content->len);
	content->len = len;
}

/* Applies one event; of a write only what `variant` lets through. */
static inline void fault_apply(
	struct fault_image *image, const struct fault_event *event, uint32_t variant)
{
	struct fault_content *content = &image->files[event->file];
	if (event->kind == FAULT_TRUNCATE)
		fault_resize(content, event->len);
	if (event->kind == FAULT_ALLOCATE && content->len < event->len)
		fault_resize(content, event->len);
	if (event->kind != FAULT_WRITE)
		return;
	if (content->len < event->offset + event->len)
		fault_resize(content, event->offset + event->len);
	size_t most = event->len;
	if (variant == FAULT_PREFIX)
		most = event->len / 2;
	for (size_t at = 0; at < most;) {
		size_t step = FAULT_SECTOR - (event->offset + at) % FAULT_SECTOR;
		if (step > most - at)
			step = most - at;
		if (variant < FAULT_RANDOM || fault_coin(image))
			memcpy(content->bytes + event->offset + at, event->bytes + at, step);
		at += step;
	}
}

static inline bool fault_is_data(const struct fault_event *event)
{
	return event->kind == FAULT_WRITE || event->kind == FAULT_TRUNCATE ||
		event->kind == FAULT_ALLOCATE;
}

static inline void fault_apply_name(struct fault_image *image, const struct fault_event *event)
{
	if (event->kind == FAULT_NAME) {
		fault_set_name(&image->names, event->name, event->file);
		if (event->other)
			fault_unset(&image->names, event->other);
	} else if (event->kind == FAULT_UNNAME) {
		fault_unset(&image->names, event->name);
	}
}

/* Whether an event is followed by a sync that makes it durable, before the cut. */
static inline bool fault_is_synced(
	const struct fault_recording *recording, size_t index, size_t cut)
{
	const struct fault_event *event = &recording->events[index];
	for (size_t i = index + 1; i < cut; i++) {
		const struct fault_event *later = &recording->events[i];
		if (later->kind == FAULT_LOST && later->file == event->file)
			return false;
		if (fault_is_data(event) ? later->kind == FAULT_SYNC && later->file == event->file
					 : later->kind == FAULT_SYNC_FOLDER)
			return true;
	}
	return false;
}

/* Whether no later write to the file comes before the cut. */
static inline bool fault_is_last(const struct fault_recording *recording, size_t index, size_t cut)
{
	for (size_t i = index + 1; i < cut; i++) {
		if (recording->events[i].kind == FAULT_WRITE &&
			recording->events[i].file == recording->events[index].file)
			return false;
	}
	return true;
}

static inline void fault_apply_unsynced(struct fault_image *image,
	const struct fault_recording *recording, size_t index, size_t cut, uint32_t variant)
{
	const struct fault_event *event = &recording->events[index];
	bool is_last = fault_is_last(recording, index, cut);
	bool is_whole = variant == FAULT_ALL || (variant == FAULT_PREFIX && !is_last) ||
		(variant == FAULT_LAST && (is_last || event->kind != FAULT_WRITE));
	if (is_whole)
		variant = FAULT_ALL;
	else if (variant == FAULT_NOTHING || variant == FAULT_LAST ||
		(variant >= FAULT_RANDOM && !fault_coin(image)))
		return;
	if (fault_is_data(event))
		fault_apply(image, event, variant);
	else
		fault_apply_name(image, event);
}

/* Files are written in place where they are there already: making new ones is slow. */
static inline void fault_write_image(const struct fault_image *image, const char *to)
{
	char path[600];
	DIR *entries = mkdir(to, 0750) == 0 ? NULL : opendir(to);
	for (struct dirent *entry; entries && (entry = readdir(entries));) {
		if (entry->d_name[0] != '.' && fault_find(&image->names, entry->d_name) < 0)
			assert_int_equal(unlinkat(dirfd(entries), entry->d_name, 0), 0);
	}
	if (entries)
		closedir(entries);
	for (size_t i = 0; i < image->names.count; i++) {
		snprintf(path, sizeof path, "%s/%s", to, image->names.at[i].name);
		const struct fault_content *content = &image->files[image->names.at[i].file];
		int fd = open(path, O_WRONLY | O_CREAT, 0640);
		assert_true(fd >= 0);
		assert_int_equal(
			pwrite(fd, content->bytes, content->len, 0), (ssize_t)content->len);
		assert_int_equal(ftruncate(fd, (off_t)content->len), 0);
		close(fd);
	}
}

/* Builds in the folder `to` what a power cut after the first `cut` events could leave. */
static inline void fault_disk_image(
	const struct fault_recording *recording, size_t cut, uint32_t variant, const char *to)
{
	static struct fault_image image;
	memset(&image, 0, sizeof image);
	image.state = variant * 2654435761u + cut;
	for (int i = 0; i < FAULT_FILES; i++)
		fault_resize(&image.files[i], recording->first[i].len);
	for (int i = 0; i < recording->file_count; i++) {
		if (recording->first[i].len)
			memcpy(image.files[i].bytes, recording->first[i].bytes,
				recording->first[i].len);
	}
	fault_copy_names(&image.names, &recording->first_names);
	for (size_t i = 0; i < cut; i++) {
		const struct fault_event *event = &recording->events[i];
		if (!fault_is_synced(recording, i, cut))
			fault_apply_unsynced(&image, recording, i, cut, variant);
		else if (fault_is_data(event))
			fault_apply(&image, event, FAULT_ALL);
		else
			fault_apply_name(&image, event);
	}
	fault_write_image(&image, to);
	fault_clear_names(&image.names);
	for (int i = 0; i < FAULT_FILES; i++)
		free(image.files[i].bytes);
}

/* The last mark before the cut. */
static inline const struct fault_event *fault_disk_marked(
	const struct fault_recording *recording, size_t cut)
{
	while (cut-- > 0) {
		if (recording->events[cut].kind == FAULT_MARK)
			return &recording->events[cut];
	}
	return NULL;
}

#endif
