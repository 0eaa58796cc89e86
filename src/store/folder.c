/* Objects in a folder: opening and reading; see folder.h for what lies where.
 *
 * Invariant: a staged file that can be locked (while holding PATH/.lock, under which they are made)
 * belongs to nobody, and is removed by the next opening.
 *
 * Thread: the owner of the handle. */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/disk.h"
#include "base/mem.h"

/* ---- the lock ---- */

enum rc folder_lock(struct folder *folder, struct fault *fault)
{
	while (flock(folder->lock_fd, LOCK_EX) != 0) {
		if (errno != EINTR)
			return fault_errno(fault, RC_IO, "cannot lock '%s/.lock'", folder->path);
	}
	return RC_OK;
}

void folder_unlock(struct folder *folder)
{
	(void)flock(folder->lock_fd, LOCK_UN);
}

char *folder_path_of(const struct folder *folder, const char *key)
{
	return mem_format("%s/%s", folder->path, key);
}

/* ---- reading ---- */

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

static enum rc folder_get(struct store *store, const char *key, uint64_t offset, uint64_t len,
	struct buf *out, struct fault *fault)
{
	char *path = folder_path_of((const struct folder *)store, key);
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
	char *path = folder_path_of((const struct folder *)store, key);
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
		rc = folder_lock(folder, fault);
	if (rc == RC_OK) {
		rc = disk_list(stage_path, clean_one, folder, fault);
		folder_unlock(folder);
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
