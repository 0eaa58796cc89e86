/* Input and output of files that must survive; see disk.h. */
#include "base/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

static int system_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

static int system_sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int result = fsync(fd);
	int number = errno;
	(void)close(fd);
	errno = number;
	return result;
}

const struct disk_ops disk_system = {
	.open = system_open,
	.close = close,
	.pread = pread,
	.pwritev = pwritev,
	.sync_data = fdatasync,
	.allocate = posix_fallocate,
	.truncate = ftruncate,
	.rename = rename,
	.link = link,
	.unlink = unlink,
	.sync_folder = system_sync_folder,
};
const struct disk_ops *disk_ops = &disk_system;

enum rc disk_open(const char *path, int flags, int *ret_fd, struct fault *fault)
{
	int fd;
	do
		fd = disk_ops->open(path, flags | O_CLOEXEC, 0640);
	while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		enum rc rc = errno == ENOENT ? RC_NOT_FOUND : errno == EEXIST ? RC_EXISTS : RC_IO;
		return fault_errno(fault, rc, "cannot open '%s'", path);
	}
	*ret_fd = fd;
	return RC_OK;
}

void disk_close(int fd)
{
	if (fd >= 0)
		(void)disk_ops->close(fd);
}

enum rc disk_read_some(int fd, const char *path, void *bytes, size_t len, uint64_t offset,
	size_t *ret_len, struct fault *fault)
{
	size_t done = 0;
	while (done < len) {
		ssize_t got = disk_ops->pread(
			fd, (uint8_t *)bytes + done, len - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fault_errno(fault, RC_IO, "cannot read '%s' at %llu", path,
				(unsigned long long)(offset + done));
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*ret_len = done;
	return RC_OK;
}

enum rc disk_read(
	int fd, const char *path, void *bytes, size_t len, uint64_t offset, struct fault *fault)
{
	size_t got = 0;
	enum rc rc = disk_read_some(fd, path, bytes, len, offset, &got, fault);
	if (rc != RC_OK)
		return rc;
	if (got < len)
		return fault_set(fault, RC_TRUNCATED, "'%s' ends at %llu, before %llu", path,
			(unsigned long long)(offset + got), (unsigned long long)(offset + len));
	return RC_OK;
}

enum rc disk_write(int fd, const char *path, struct iovec *parts, int count, uint64_t offset,
	struct fault *fault)
{
	enum { PARTS_MAX = 1024 }; /* IOV_MAX */
	while (count > 0) {
		int some = count < PARTS_MAX ? count : PARTS_MAX;
		ssize_t wrote = disk_ops->pwritev(fd, parts, some, (off_t)offset);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return fault_errno(fault, RC_IO, "cannot write '%s' at %llu", path,
				(unsigned long long)offset);
		offset += (size_t)wrote;
		size_t left = (size_t)wrote;
		while (count > 0 && left >= parts->iov_len) {
			left -= parts->iov_len;
			parts++;
			count--;
		}
		if (count > 0) {
			parts->iov_base = (uint8_t *)parts->iov_base + left;
			parts->iov_len -= left;
		}
	}
	return RC_OK;
}

enum rc disk_sync(int fd, const char *path, struct fault *fault)
{
	/* never repeated: after a failed sync the kernel may have dropped what was dirty */
	if (disk_ops->sync_data(fd) != 0)
		return fault_errno(fault, RC_IO, "cannot sync '%s'", path);
	return RC_OK;
}

enum rc disk_sync_folder(const char *path, struct fault *fault)
{
	if (disk_ops->sync_folder(path) != 0)
		return fault_errno(fault, RC_IO, "cannot sync folder '%s'", path);
	return RC_OK;
}

enum rc disk_allocate(int fd, const char *path, uint64_t offset, uint64_t len, struct fault *fault)
{
	int number;
	do
		number = disk_ops->allocate(fd, (off_t)offset, (off_t)len);
	while (number == EINTR);
	errno = number;
	if (number != 0)
		return fault_errno(fault, RC_IO, "cannot allocate %llu bytes for '%s'",
			(unsigned long long)len, path);
	return RC_OK;
}

enum rc disk_truncate(int fd, const char *path, uint64_t len, struct fault *fault)
{
	if (disk_ops->truncate(fd, (off_t)len) != 0)
		return fault_errno(fault, RC_IO, "cannot cut '%s' to %llu bytes", path,
			(unsigned long long)len);
	return RC_OK;
}

enum rc disk_rename(const char *from, const char *to, struct fault *fault)
{
	if (disk_ops->rename(from, to) != 0)
		return fault_errno(fault, RC_IO, "cannot rename '%s' to '%s'", from, to);
	return RC_OK;
}

enum rc disk_link(const char *from, const char *to, struct fault *fault)
{
	if (disk_ops->link(from, to) != 0)
		return fault_errno(fault, errno == EEXIST ? RC_EXISTS : RC_IO,
			"cannot link '%s' to '%s'", from, to);
	return RC_OK;
}

enum rc disk_size(const char *path, uint64_t *ret_size, struct fault *fault)
{
	struct stat facts;
	if (stat(path, &facts) != 0)
		return fault_errno(
			fault, errno == ENOENT ? RC_NOT_FOUND : RC_IO, "cannot look at '%s'", path);
	*ret_size = (uint64_t)facts.st_size;
	return RC_OK;
}

enum rc disk_unlink(const char *path, struct fault *fault)
{
	if (disk_ops->unlink(path) != 0 && errno != ENOENT)
		return fault_errno(fault, RC_IO, "cannot remove '%s'", path);
	return RC_OK;
}

/* The parent's entry is synced too: a file in a folder that a power cut forgets is a lost file. */
static enum rc make_folder(const char *path, struct fault *fault)
{
	if (mkdir(path, 0750) != 0) {
		if (errno == EEXIST)
			return RC_OK;
		return fault_errno(fault, RC_IO, "cannot make folder '%s'", path);
	}
	char *parent = mem_text(path);
	char *slash = strrchr(parent, '/');
	if (slash == parent)
		slash[1] = 0;
	else if (slash)
		*slash = 0;
	enum rc rc = disk_sync_folder(slash ? parent : ".", fault);
	mem_free(parent);
	return rc;
}

enum rc disk_make_folders(const char *path, struct fault *fault)
{
	char *copy = mem_text(path);
	enum rc rc = RC_OK;
	for (char *slash = strchr(copy + 1, '/'); slash && rc == RC_OK;
		slash = strchr(slash + 1, '/')) {
		*slash = 0;
		rc = make_folder(copy, fault);
		*slash = '/';
	}
	if (rc == RC_OK)
		rc = make_folder(copy, fault);
	mem_free(copy);
	return rc;
}

enum rc disk_load(const char *path, struct buf *buf, struct fault *fault)
{
	enum { STEP = 16384 };
	int fd = -1;
	enum rc rc = disk_open(path, O_RDONLY, &fd, fault);
	for (uint64_t offset = 0; rc == RC_OK;) {
		uint8_t step[STEP];
		size_t got = 0;
		rc = disk_read_some(fd, path, step, sizeof step, offset, &got, fault);
		if (rc != RC_OK || got == 0)
			break;
		buf_bytes(buf, step, got);
		if (buf->rc != RC_OK)
			rc = fault_set(
				fault, RC_LIMIT, "'%s' is larger than %zu bytes", path, buf->max);
		offset += got;
	}
	disk_close(fd);
	return rc;
}

static enum rc write_new(const char *path, struct slice contents, struct fault *fault)
{
	int fd = -1;
	enum rc rc = disk_open(path, O_WRONLY | O_CREAT | O_TRUNC, &fd, fault);
	if (rc != RC_OK)
		return rc;
	struct iovec part = {(void *)(uintptr_t)contents.at, contents.len};
	rc = disk_write(fd, path, &part, 1, 0, fault);
	if (rc == RC_OK)
		rc = disk_sync(fd, path, fault);
	disk_close(fd);
	return rc;
}

enum rc disk_replace(const char *path, struct slice contents, struct fault *fault)
{
	char *new = mem_format("%s.new", path);
	char *folder = mem_text(path);
	char *slash = strrchr(folder, '/');
	if (slash)
		*slash = 0;
	enum rc rc = write_new(new, contents, fault);
	if (rc == RC_OK)
		rc = disk_rename(new, path, fault);
	if (rc == RC_OK)
		rc = disk_sync_folder(slash ? folder : ".", fault);
	mem_free(folder);
	mem_free(new);
	return rc;
}

static int is_name(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

enum rc disk_list(const char *path,
	enum rc (*each)(void *context, const char *name, struct fault *fault), void *context,
	struct fault *fault)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_name, by_bytes);
	if (count < 0)
		return fault_errno(fault, errno == ENOENT ? RC_NOT_FOUND : RC_IO,
			"cannot list folder '%s'", path);
	enum rc rc = RC_OK;
	for (int i = 0; i < count; i++) {
		if (rc == RC_OK)
			rc = each(context, entries[i]->d_name, fault);
		mem_free(entries[i]);
	}
	mem_free(entries);
	return rc;
}
