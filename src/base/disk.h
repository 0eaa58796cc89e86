/* All input and output of files that must survive: one table of functions, so that tests can put a
 * disk behind it that fails, fills up or loses power (fault_disk in the tests).
 *
 * The disk_* functions answer faults with the path in them. Interrupted and short calls are
 * continued.
 *
 * Thread: any. */
#ifndef BASE_DISK_H
#define BASE_DISK_H

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/buf.h"

struct disk_ops {
	int (*open)(const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	ssize_t (*pread)(int fd, void *bytes, size_t len, off_t offset);
	ssize_t (*pwritev)(int fd, const struct iovec *parts, int count, off_t offset);
	int (*sync_data)(int fd); /* fdatasync */
	int (*allocate)(int fd, off_t offset,
		off_t length); /* posix_fallocate: an error number, errno untouched */
	int (*truncate)(int fd, off_t length);
	int (*rename)(const char *from, const char *to);
	int (*link)(const char *from, const char *to);
	int (*unlink)(const char *path);
	int (*sync_folder)(const char *path); /* makes renames, links and unlinks in it durable */
};

/* The disk in use; a test replaces it before threads start. disk_system is the real one. */
extern const struct disk_ops *disk_ops;
extern const struct disk_ops disk_system;

/* open(2) with O_CLOEXEC, mode 0640. RC_NOT_FOUND and RC_EXISTS (O_EXCL) are told from RC_IO. */
MUST_USE enum rc disk_open(const char *path, int flags, int *ret_fd, struct fault *fault);

/* Closes; a negative descriptor is nothing. Errors of close are of no use after a sync and are
 * dropped. */
void disk_close(int fd);

/* Reads `len` bytes at `offset`; the end of the file before that is RC_TRUNCATED. `path` is for the
 * fault. */
MUST_USE enum rc disk_read(
	int fd, const char *path, void *bytes, size_t len, uint64_t offset, struct fault *fault);

/* Reads up to `len` bytes, fewer at the end of the file. */
MUST_USE enum rc disk_read_some(int fd, const char *path, void *bytes, size_t len, uint64_t offset,
	size_t *ret_len, struct fault *fault);

/* Writes all parts at `offset`. `parts` is changed on the way. A full disk is RC_DISK_FULL. */
MUST_USE enum rc disk_write(int fd, const char *path, struct iovec *parts, int count,
	uint64_t offset, struct fault *fault);

MUST_USE enum rc disk_sync(int fd, const char *path, struct fault *fault);
MUST_USE enum rc disk_sync_folder(const char *path, struct fault *fault);
MUST_USE enum rc disk_allocate(
	int fd, const char *path, uint64_t offset, uint64_t len, struct fault *fault);
MUST_USE enum rc disk_truncate(int fd, const char *path, uint64_t len, struct fault *fault);
MUST_USE enum rc disk_rename(const char *from, const char *to, struct fault *fault);

/* RC_EXISTS when `to` is there. */
MUST_USE enum rc disk_link(const char *from, const char *to, struct fault *fault);

/* Bytes of a file. RC_NOT_FOUND when it is not there. */
MUST_USE enum rc disk_size(const char *path, uint64_t *ret_size, struct fault *fault);

/* A file that is not there is no error. */
MUST_USE enum rc disk_unlink(const char *path, struct fault *fault);

/* Makes a folder and those above it. */
MUST_USE enum rc disk_make_folders(const char *path, struct fault *fault);

/* The whole of a small file appended to `buf` (whose maximum is the limit). */
MUST_USE enum rc disk_load(const char *path, struct buf *buf, struct fault *fault);

/* Replaces a small file as a whole and durably: PATH.new is written, synced, renamed over it, the
 * folder synced. */
MUST_USE enum rc disk_replace(const char *path, struct slice contents, struct fault *fault);

/* Calls `each` with every name in a folder but . and .., in the order of bytes, until it answers
 * other than RC_OK. A folder that is not there is RC_NOT_FOUND. */
MUST_USE enum rc disk_list(const char *path,
	enum rc (*each)(void *context, const char *name, struct fault *fault), void *context,
	struct fault *fault);

#endif
