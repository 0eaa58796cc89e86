/* The tip; see tip.h.
 *
 * Waiting is a futex on a word of the shared mapping, so that it works between processes and costs
 * the writer one system call a group. Order: the address is stored, then the word changes, then
 * sleepers are woken; a reader looks at the word first and at the address second, so it cannot
 * sleep through a publication. */
#include "log/tip.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/disk.h"
#include "base/mem.h"
#include "log/format.h"

static const char tip_magic[8] = {'M', 'S', 'L', 'O', 'G', 'T', 'I', 'P'};

/* The file as it is mapped. Numbers are little-endian, as this program only runs on such machines
 * (asserted below). */
struct tip_page {
	char magic[8];
	uint32_t version;
	_Atomic uint32_t changes;
	_Atomic uint64_t address;
	_Atomic uint64_t inverse; /* ~address: a torn or damaged page shows */
	_Atomic int64_t born_us;
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the tip is mapped as it is");
static_assert(sizeof(struct tip_page) == 40 && sizeof(struct tip_page) <= TIP_SIZE, "layout");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "shared by processes");

void tip_close(struct tip *tip)
{
	if (tip->page)
		(void)munmap(tip->page, TIP_SIZE);
	tip->page = NULL;
}

static bool is_tip(const struct tip_page *page)
{
	return memcmp(page->magic, tip_magic, sizeof tip_magic) == 0 &&
		page->version == FORMAT_VERSION;
}

static enum rc map_file(
	const char *path, int fd, int protection, struct tip *ret_tip, struct fault *fault)
{
	uint8_t last = 0;
	enum rc rc = disk_read(fd, path, &last, 1, TIP_SIZE - 1, fault);
	if (rc != RC_OK)
		return rc; /* shorter than a page: touching it would be fatal */
	void *page = mmap(NULL, TIP_SIZE, protection, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return fault_errno(fault, RC_IO, "cannot map '%s'", path);
	ret_tip->page = page;
	if (is_tip(ret_tip->page))
		return RC_OK;
	tip_close(ret_tip);
	return fault_set(fault, RC_CORRUPT, "'%s' is not the tip of a log of this version", path);
}

static enum rc open_mapped(
	const char *path, int flags, int protection, struct tip *ret_tip, struct fault *fault)
{
	int fd = -1;
	enum rc rc = disk_open(path, flags, &fd, fault);
	if (rc != RC_OK)
		return rc;
	rc = map_file(path, fd, protection, ret_tip, fault);
	disk_close(fd);
	return rc;
}

/* ---- the writer ---- */

/* Whole and synced before it gets its name: later stores into the mapping need no space. */
static enum rc make_file(const char *path, struct fault *fault)
{
	uint8_t page[TIP_SIZE] = {0};
	memcpy(page, tip_magic, sizeof tip_magic);
	store_u32le(page + 8, FORMAT_VERSION);
	store_u64le(page + 24, ~(uint64_t)0);
	return disk_replace(path, slice_of(page, sizeof page), fault);
}

enum rc tip_open(
	const char *folder, struct tip *ret_tip, struct tip_state *ret_state, struct fault *fault)
{
	char *path = mem_format("%s/tip", folder);
	enum rc rc = open_mapped(path, O_RDWR, PROT_READ | PROT_WRITE, ret_tip, fault);
	if (rc == RC_NOT_FOUND || rc == RC_TRUNCATED || rc == RC_CORRUPT) {
		rc = make_file(path, fault);
		if (rc == RC_OK)
			rc = open_mapped(path, O_RDWR, PROT_READ | PROT_WRITE, ret_tip, fault);
	}
	mem_free(path);
	if (rc != RC_OK)
		return rc;
	struct tip_page *page = ret_tip->page;
	ret_state->address = atomic_load(&page->address);
	ret_state->born_us = atomic_load(&page->born_us);
	ret_state->is_valid = atomic_load(&page->inverse) == ~ret_state->address;
	return RC_OK;
}

static long futex(
	const _Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

void tip_publish(struct tip *tip, uint64_t address, int64_t born_us)
{
	struct tip_page *page = tip->page;
	atomic_store(&page->born_us, born_us);
	atomic_store(&page->inverse, ~address);
	atomic_store(&page->address, address);
	(void)atomic_fetch_add(&page->changes, 1);
	(void)futex(&page->changes, FUTEX_WAKE, INT_MAX, NULL);
}

/* ---- readers ---- */

enum rc tip_open_read(const char *folder, struct tip *ret_tip, struct fault *fault)
{
	char *path = mem_format("%s/tip", folder);
	enum rc rc = open_mapped(path, O_RDONLY, PROT_READ, ret_tip, fault);
	if (rc == RC_NOT_FOUND)
		rc = fault_set(fault, RC_NOT_FOUND, "there is no log in '%s'", folder);
	else if (rc == RC_TRUNCATED || rc == RC_CORRUPT)
		fault_hint(fault, "the tip is made again when the stream is opened for writing");
	mem_free(path);
	return rc;
}

uint64_t tip_address(const struct tip *tip)
{
	return atomic_load(&tip->page->address);
}

uint32_t tip_changes(const struct tip *tip)
{
	return atomic_load(&tip->page->changes);
}

void tip_wait(const struct tip *tip, uint32_t seen, int64_t timeout_us)
{
	struct timespec span = {
		.tv_sec = timeout_us / 1000000, .tv_nsec = timeout_us % 1000000 * 1000};
	(void)futex(&tip->page->changes, FUTEX_WAIT, seen, &span);
}
