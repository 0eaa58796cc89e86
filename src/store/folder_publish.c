/* Writing objects into a folder: staging, publishing, replacing, removing; see folder.h for what
 * lies where.
 *
 * Invariants:
 *  1. An object gets its name by link(2), when its bytes and its metadata are durable.
 *  2. Names are given, and metadata is written, under the flock of PATH/.lock only. So nobody's
 *     metadata can slip under an object that somebody else has just published, and a .meta without
 *     its object is a crash's leftover, which the next writer of that key overwrites.
 *  3. Whoever writes a staged file holds its flock, and staged files are made under PATH/.lock.
 *
 * Thread: the owner of the handle. Two handles exclude each other also within a process. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/disk.h"
#include "base/mem.h"
#include "store/folder.h"

struct folder_stage {
	struct store_stage stage; /* first */
	char *path;
	int fd;
	bool is_synced;
};

/* ---- paths ---- */

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

enum rc folder_stage_begin(struct store *store, struct store_stage **ret_stage, struct fault *fault)
{
	struct folder *folder = (struct folder *)store;
	struct folder_stage *stage = NULL;
	enum rc rc = folder_lock(folder, fault);
	if (rc != RC_OK)
		return rc;
	rc = stage_new(folder, &stage, fault);
	folder_unlock(folder);
	if (rc == RC_OK)
		*ret_stage = &stage->stage;
	return rc;
}

enum rc folder_stage_append(struct store_stage *base, struct slice bytes, struct fault *fault)
{
	struct folder_stage *stage = (struct folder_stage *)base;
	struct iovec part = {(void *)(uintptr_t)bytes.at, bytes.len};
	stage->is_synced = false;
	return disk_write(stage->fd, stage->path, &part, 1, base->size, fault);
}

void folder_stage_close(struct store_stage *base)
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

enum rc folder_stage_publish(
	struct store_stage *base, const char *key, struct slice meta, struct fault *fault)
{
	struct folder_stage *stage = (struct folder_stage *)base;
	struct folder *folder = (struct folder *)base->store;
	enum rc rc = stage_sync(stage, fault);
	if (rc == RC_OK)
		rc = make_ready(folder, key, fault);
	if (rc == RC_OK)
		rc = folder_lock(folder, fault);
	if (rc != RC_OK)
		return rc;
	char *path = folder_path_of(folder, key);
	rc = publish(stage, key, path, meta, fault);
	mem_free(path);
	folder_unlock(folder);
	return rc;
}

/* Moves a staged file over `key`, unless that is a published object. With the lock held. */
static enum rc move_over(struct folder_stage *stage, const char *key, struct fault *fault)
{
	struct folder *folder = (struct folder *)stage->stage.store;
	char *path = folder_path_of(folder, key);
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

enum rc folder_replace(
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
		rc = folder_lock(folder, fault);
	if (rc == RC_OK) {
		rc = move_over(stage, key, fault);
		folder_unlock(folder);
	}
	folder_stage_close(base);
	return rc;
}

/* The metadata goes last: an object without it must not come back after a power cut. */
enum rc folder_delete(struct store *store, const char *key, struct fault *fault)
{
	struct folder *folder = (struct folder *)store;
	enum rc rc = folder_lock(folder, fault);
	if (rc != RC_OK)
		return rc;
	char *path = folder_path_of(folder, key);
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
	folder_unlock(folder);
	return rc;
}

enum rc folder_settle(struct store *store, const char *key, struct fault *fault)
{
	return sync_chain((const struct folder *)store, key, fault);
}
