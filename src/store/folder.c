/* Objects in a folder: staging, publishing, reading; see folder.h for what lies where.
 *
 * Invariants:
 *  1. An object gets its name by link(2), when its bytes and its metadata are durable.
 *  2. Names are given, and metadata is written, under the flock of PATH/.lock only. So nobody's
 *     metadata can slip under an object that somebody else has just published, and a .meta without
 *     its object is a crash's leftover, which the next writer of that key overwrites.
 *  3. Whoever writes a staged file holds its flock; a staged file that can be locked (while holding
 *     PATH/.lock, under which they are made) belongs to nobody and is removed by the next opening.
 *
 * Thread: the owner of the handle. Two handles exclude each other also within a process. */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/disk.h"
#include "base/mem.h"

struct folder_stage {
	struct store_stage stage; /* first */
	char *path;
	int fd;
	bool is_synced;
};

/* ---- the lock ---- */

static enum rc lock(struct folder *folder, struct fault *fault)
{
	while (flock(folder->lock_fd, LOCK_EX) != 0) {
		if (errno != EINTR)
			return fault_errno(fault, RC_IO, "cannot lock '%s/.lock'", folder->path);
	}
	return RC_OK;
}

static void unlock(struct folder *folder)
{
	(void)flock(folder->lock_fd, LOCK_UN);
}

/* ---- paths ---- */

static char *path_of(const struct folder *folder, const char *key)
{
	return mem_format("%s/%s", folder->path, key);
}

static enum rc file_size(const char *path, uint64_t *ret_size, struct fault *fault)
{
	struct stat info;
	if (stat(path, &info) != 0) {
		enum rc rc = errno == ENOENT || errno == ENOTDIR ? RC_NOT_FOUND : RC_IO;
		return fault_errno(fault, rc, "cannot look at '%s'", path);
	}
	if (!S_ISREG(info.st_mode))
		return fault_set(fault, RC_NOT_FOUND, "'%s' is not an object", path);
	*ret_size = (uint64_t)info.st_size;
	return RC_OK;
}

/* Whether anything, object or not, has this name. */
static enum rc is_taken(const char *path, bool *ret_taken, struct fault *fault)
{
	struct stat info;
	*ret_taken = lstat(path, &info) == 0;
	if (!*ret_taken && errno != ENOENT)
		return fault_errno(fault, RC_IO, "cannot look at '%s'", path);
	return RC_OK;
}

/* Syncs every folder from the store's own down to the one that holds `key`. */
static enum rc sync_chain(const struct folder *folder, const char *key, struct fault *fault)
{
	enum rc rc = disk_sync_folder(folder->path, fault);
	for (const char *slash = strchr(key, '/'); slash && rc == RC_OK;
		slash = strchr(slash + 1, '/')) {
		char *path = mem_format("%s/%.*s", folder->path, (int)(slash - key), key);
		rc = disk_sync_folder(path, fault);
		mem_free(path);
	}
	return rc;
}

/* The folder that holds `key`; the caller frees it. */
static char *folder_of(const struct folder *folder, const char *key)
{
	const char *slash = strrchr(key, '/');
	if (!slash)
		return mem_text(folder->path);
	return mem_format("%s/%.*s", folder->path, (int)(slash - key), key);
}

/* Makes the folder that holds `key`, durably: also where another process made it and died before
 * it was. */
static enum rc make_ready(struct folder *folder, const char *key, struct fault *fault)
{
	char *path = folder_of(folder, key);
	if (folder->ready && strcmp(folder->ready, path) == 0) {
		mem_free(path);
		return RC_OK;
	}
	enum rc rc = disk_make_folders(path, fault);
	if (rc == RC_OK)
		rc = sync_chain(folder, key, fault);
	if (rc != RC_OK) {
		mem_free(path);
		return rc;
	}
	mem_free(folder->ready);
	folder->ready = path;
	return RC_OK;
}

static enum rc sync_folder_of(const struct folder *folder, const char *key, struct fault *fault)
{
	char *path = folder_of(folder, key);
	enum rc rc = disk_sync_folder(path, fault);
	mem_free(path);
	return rc;
}

/* ---- staging ---- */

/* A new staged file, locked by us. With PATH/.lock held. */
static enum rc stage_new(
	struct folder *folder, struct folder_stage **ret_stage, struct fault *fault)
{
	static atomic_ulong counter;
	char *path = NULL;
	int fd = -1;
	enum rc rc = RC_EXISTS;
	while (rc == RC_EXISTS) { /* left by another machine's process of the same number */
		mem_free(path);
		path = mem_format("%s/.stage/%ld-%lu", folder->path, (long)getpid(),
			atomic_fetch_add(&counter, 1));
		rc = disk_open(path, O_RDWR | O_CREAT | O_EXCL, &fd, fault);
	}
	if (rc == RC_OK && flock(fd, LOCK_EX | LOCK_NB) != 0)
		rc = fault_errno(fault, RC_IO, "cannot lock '%s'", path);
	if (rc != RC_OK) {
		disk_close(fd);
		mem_free(path);
		return rc;
	}
	struct folder_stage *stage = mem_new(1, sizeof *stage);
	stage->stage.store = &folder->store;
	stage->path = path;
	stage->fd = fd;
	*ret_stage = stage;
	return RC_OK;
}

static enum rc folder_stage_begin(
	struct store *store, struct store_stage **ret_stage, struct fault *fault)
{
	struct folder *folder = (struct folder *)store;
	struct folder_stage *stage = NULL;
	enum rc rc = lock(folder, fault);
	if (rc != RC_OK)
		return rc;
	rc = stage_new(folder, &stage, fault);
	unlock(folder);
	if (rc == RC_OK)
		*ret_stage = &stage->stage;
	return rc;
}

static enum rc folder_stage_append(
	struct store_stage *base, struct slice bytes, struct fault *fault)
{
	struct folder_stage *stage = (struct folder_stage *)base;
	struct iovec part = {(void *)(uintptr_t)bytes.at, bytes.len};
	stage->is_synced = false;
	return disk_write(stage->fd, stage->path, &part, 1, base->size, fault);
}

static void folder_stage_close(struct store_stage *base)
{
	struct folder_stage *stage = (struct folder_stage *)base;
	(void)!disk_unlink(stage->path, NULL); /* what stays is removed at the next opening */
	disk_close(stage->fd);
	mem_free(stage->path);
	mem_free(stage);
}

/* After a failed sync the kernel may have dropped the bytes, and the next sync would not say so. */
static enum rc stage_sync(struct folder_stage *stage, struct fault *fault)
{
	if (stage->is_synced)
		return RC_OK;
	enum rc rc = disk_sync(stage->fd, stage->path, fault);
	stage->is_synced = rc == RC_OK;
	stage->stage.is_lost = rc != RC_OK;
	return rc;
}

/* ---- publishing ---- */

/* Writes a small file whole and durably under its name. With the lock held. */
static enum rc put_meta(
	struct folder *folder, const char *path, struct slice meta, struct fault *fault)
{
	struct folder_stage *stage = NULL;
	enum rc rc = stage_new(folder, &stage, fault);
	if (rc != RC_OK)
		return rc;
	rc = folder_stage_append(&stage->stage, meta, fault);
	if (rc == RC_OK)
		rc = stage_sync(stage, fault);
	if (rc == RC_OK)
		rc = disk_rename(stage->path, path, fault);
	folder_stage_close(&stage->stage);
	return rc;
}

/* With the lock held. The folder is synced between the two: without that, a power cut could keep
 * the object's name and lose its metadata's. */
static enum rc publish(struct folder_stage *stage, const char *key, const char *path,
	struct slice meta, struct fault *fault)
{
	struct folder *folder = (struct folder *)stage->stage.store;
	bool is_there = false;
	enum rc rc = is_taken(path, &is_there, fault);
	if (rc == RC_OK && is_there) {
		rc = sync_folder_of(folder, key, fault);
		if (rc != RC_OK)
			return rc;
		return fault_set(fault, RC_EXISTS, "'%s' exists already", path);
	}
	char *meta_path = mem_format("%s.meta", path);
	if (rc == RC_OK)
		rc = put_meta(folder, meta_path, meta, fault);
	mem_free(meta_path);
	if (rc == RC_OK)
		rc = sync_folder_of(folder, key, fault);
	if (rc != RC_OK)
		return rc;
	crash_point(CRASH_ARCHIVE_META);
	rc = disk_link(stage->path, path, fault);
	if (rc == RC_OK)
		rc = sync_folder_of(folder, key, fault);
	return rc;
}

static enum rc folder_stage_publish(
	struct store_stage *base, const char *key, struct slice meta, struct fault *fault)
{
	struct folder_stage *stage = (struct folder_stage *)base;
	struct folder *folder = (struct folder *)base->store;
	enum rc rc = stage_sync(stage, fault);
	if (rc == RC_OK)
		rc = make_ready(folder, key, fault);
	if (rc == RC_OK)
		rc = lock(folder, fault);
	if (rc != RC_OK)
		return rc;
	char *path = path_of(folder, key);
	rc = publish(stage, key, path, meta, fault);
	mem_free(path);
	unlock(folder);
	return rc;
}

/* Moves a staged file over `key`, unless that is a published object. With the lock held. */
static enum rc move_over(struct folder_stage *stage, const char *key, struct fault *fault)
{
	struct folder *folder = (struct folder *)stage->stage.store;
	char *path = path_of(folder, key);
	char *meta_path = mem_format("%s.meta", path);
	bool is_there = false, has_meta = false;
	enum rc rc = is_taken(path, &is_there, fault);
	if (rc == RC_OK)
		rc = is_taken(meta_path, &has_meta, fault);
	if (rc == RC_OK && is_there && has_meta)
		rc = fault_set(fault, RC_EXISTS, "'%s' was published and cannot be replaced", path);
	if (rc == RC_OK && has_meta) /* a crash's leftover must not become this object's */
		rc = disk_unlink(meta_path, fault);
	if (rc == RC_OK && has_meta)
		rc = sync_folder_of(folder, key, fault);
	if (rc == RC_OK)
		rc = disk_rename(stage->path, path, fault);
	if (rc == RC_OK)
		rc = sync_folder_of(folder, key, fault);
	mem_free(meta_path);
	mem_free(path);
	return rc;
}

static enum rc folder_replace(
	struct store *store, const char *key, struct slice bytes, struct fault *fault)
{
	struct folder *folder = (struct folder *)store;
	struct store_stage *base = NULL;
	enum rc rc = make_ready(folder, key, fault);
	if (rc == RC_OK)
		rc = folder_stage_begin(store, &base, fault);
	if (rc != RC_OK)
		return rc;
	struct folder_stage *stage = (struct folder_stage *)base;
	rc = folder_stage_append(base, bytes, fault);
	if (rc == RC_OK)
		rc = stage_sync(stage, fault);
	if (rc == RC_OK)
		rc = lock(folder, fault);
	if (rc == RC_OK) {
		rc = move_over(stage, key, fault);
		unlock(folder);
	}
	folder_stage_close(base);
	return rc;
}

/* The metadata goes last: an object without it must not come back after a power cut. */
static enum rc folder_delete(struct store *store, const char *key, struct fault *fault)
{
	struct folder *folder = (struct folder *)store;
	enum rc rc = lock(folder, fault);
	if (rc != RC_OK)
		return rc;
	char *path = path_of(folder, key);
	char *meta_path = mem_format("%s.meta", path);
	bool is_there = false, has_meta = false;
	rc = is_taken(path, &is_there, fault);
	if (rc == RC_OK)
		rc = is_taken(meta_path, &has_meta, fault);
	if (rc == RC_OK && is_there)
		rc = disk_unlink(path, fault);
	if (rc == RC_OK && is_there)
		rc = sync_folder_of(folder, key, fault);
	if (rc == RC_OK && has_meta)
		rc = disk_unlink(meta_path, fault);
	mem_free(meta_path);
	mem_free(path);
	unlock(folder);
	return rc;
}

static enum rc folder_settle(struct store *store, const char *key, struct fault *fault)
{
	return sync_chain((const struct folder *)store, key, fault);
}

/* ---- reading ---- */

static enum rc folder_get(struct store *store, const char *key, uint64_t offset, uint64_t len,
	struct buf *out, struct fault *fault)
{
	char *path = path_of((const struct folder *)store, key);
	uint64_t size = 0;
	int fd = -1;
	enum rc rc = file_size(path, &size, fault);
	if (rc == RC_OK)
		rc = disk_open(path, O_RDONLY, &fd, fault);
	uint64_t there = offset < size ? size - offset : 0;
	size_t want = (size_t)(len < there ? len : there);
	if (rc == RC_OK && want > 0) {
		uint8_t *at = buf_reserve(out, want);
		rc = at ? disk_read(fd, path, at, want, offset, fault)
			: fault_set(fault, RC_LIMIT,
				  "%zu bytes of '%s' are more than the %zu that "
				  "are taken at a time",
				  want, path, out->max);
		if (rc == RC_OK)
			out->len += want;
	}
	disk_close(fd);
	mem_free(path);
	return rc;
}

static enum rc folder_head(struct store *store, const char *key, uint64_t *ret_size,
	struct buf *meta, struct fault *fault)
{
	char *path = path_of((const struct folder *)store, key);
	char *meta_path = mem_format("%s.meta", path);
	uint64_t size = 0;
	enum rc rc = file_size(path, &size, fault);
	if (rc == RC_OK) {
		rc = disk_load(meta_path, meta, fault);
		if (rc == RC_NOT_FOUND) /* put by store_replace */
			rc = RC_OK;
	}
	if (rc == RC_OK)
		*ret_size = size;
	mem_free(meta_path);
	mem_free(path);
	return rc;
}

/* ---- opening ---- */

/* Removes a staged file that nobody writes any more. */
static enum rc clean_one(void *context, const char *name, struct fault *fault)
{
	const struct folder *folder = context;
	char *path = mem_format("%s/.stage/%s", folder->path, name);
	int fd = -1;
	enum rc rc = disk_open(path, O_RDWR, &fd, fault);
	if (rc == RC_OK && flock(fd, LOCK_EX | LOCK_NB) == 0)
		rc = disk_unlink(path, fault);
	disk_close(fd);
	mem_free(path);
	return rc == RC_NOT_FOUND ? RC_OK : rc; /* its owner closed it meanwhile */
}

static enum rc prepare(struct folder *folder, struct fault *fault)
{
	char *stage_path = mem_format("%s/.stage", folder->path);
	char *lock_path = mem_format("%s/.lock", folder->path);
	enum rc rc = disk_make_folders(stage_path, fault);
	if (rc == RC_OK)
		rc = disk_open(lock_path, O_RDWR | O_CREAT, &folder->lock_fd, fault);
	if (rc == RC_OK)
		rc = lock(folder, fault);
	if (rc == RC_OK) {
		rc = disk_list(stage_path, clean_one, folder, fault);
		unlock(folder);
	}
	mem_free(lock_path);
	mem_free(stage_path);
	return rc;
}

static void folder_close(struct store *store)
{
	struct folder *folder = (struct folder *)store;
	disk_close(folder->lock_fd);
	mem_free(folder->ready);
	mem_free(folder->path);
	mem_free(folder);
}

static const struct store_backend folder_backend = {
	.close = folder_close,
	.stage_begin = folder_stage_begin,
	.stage_append = folder_stage_append,
	.stage_publish = folder_stage_publish,
	.stage_close = folder_stage_close,
	.replace = folder_replace,
	.delete = folder_delete,
	.settle = folder_settle,
	.get = folder_get,
	.head = folder_head,
	.list = folder_list,
	.last = folder_last,
};

enum rc store_open_folder(const char *path, struct store **ret_store, struct fault *fault)
{
	struct folder *folder = mem_new(1, sizeof *folder);
	folder->store.backend = &folder_backend;
	folder->store.name = mem_text(path);
	folder->path = mem_text(path);
	folder->lock_fd = -1;
	enum rc rc = prepare(folder, fault);
	if (rc != RC_OK) {
		store_close(&folder->store);
		return rc;
	}
	*ret_store = &folder->store;
	return RC_OK;
}
