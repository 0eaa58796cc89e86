/* Checkpoints of named consumers; see hub.h.
 *
 * CONSUMERS/NAME.checkpoint holds two slots of 512 bytes, written in turn, each under its own
 * checksum: a torn write leaves the other one, and one fdatasync makes a checkpoint durable. Of two
 * good slots the later counts.
 *
 *   slot: "MSCP" | version u32 | count of saves u64 | next ordinal u64 | CRC32C of these 24 bytes
 * u32     (little-endian) */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/checksum.h"
#include "base/disk.h"
#include "base/mem.h"
#include "hub/hub.h"

enum { SLOT_SIZE = 512, SLOT_BYTES = 28, SLOT_VERSION = 1 };

static const char magic[4] = {'M', 'S', 'C', 'P'};

struct slot {
	bool is_good;
	uint64_t saves, next;
};

static char *file_of(const char *folder, const char *consumer)
{
	return mem_format("%s/consumers/%s.checkpoint", folder, consumer);
}

static struct slot slot_read(const uint8_t *bytes)
{
	struct slot slot = {0};
	if (memcmp(bytes, magic, sizeof magic) != 0 || load_u32le(bytes + 4) != SLOT_VERSION ||
		load_u32le(bytes + 24) != checksum_crc32c(0, bytes, 24))
		return slot;
	slot.is_good = true;
	slot.saves = load_u64le(bytes + 8);
	slot.next = load_u64le(bytes + 16);
	return slot;
}

static void slot_write(const struct slot *slot, uint8_t *bytes)
{
	memset(bytes, 0, SLOT_SIZE);
	memcpy(bytes, magic, sizeof magic);
	store_u32le(bytes + 4, SLOT_VERSION);
	store_u64le(bytes + 8, slot->saves);
	store_u64le(bytes + 16, slot->next);
	store_u32le(bytes + 24, checksum_crc32c(0, bytes, 24));
}

static enum rc load_slots(int fd, const char *path, struct slot slots[2], struct fault *fault)
{
	uint8_t bytes[2 * SLOT_SIZE] = {0};
	size_t got;
	enum rc rc = disk_read_some(fd, path, bytes, sizeof bytes, 0, &got, fault);
	if (rc != RC_OK)
		return rc;
	slots[0] = slot_read(bytes);
	slots[1] = slot_read(bytes + SLOT_SIZE);
	if (slots[0].is_good || slots[1].is_good)
		return RC_OK;
	rc = fault_set(fault, RC_CORRUPT,
		"'%s' holds no valid checkpoint (both of its slots, at 0 and %d, fail their "
		"checksums)",
		path, SLOT_SIZE);
	fault_hint(fault,
		"remove the file: the consumer then starts again at the oldest record, which "
		"repeats what it had");
	return rc;
}

static const struct slot *latest(const struct slot slots[2])
{
	if (slots[0].is_good && slots[1].is_good)
		return &slots[slots[1].saves > slots[0].saves];
	return &slots[slots[1].is_good];
}

enum rc hub_checkpoint_load(
	const char *folder, const char *consumer, uint64_t *ret_next, struct fault *fault)
{
	char *path = file_of(folder, consumer);
	int fd = -1;
	struct slot slots[2];
	enum rc rc = disk_open(path, O_RDONLY, &fd, fault);
	if (rc == RC_OK)
		rc = load_slots(fd, path, slots, fault);
	if (rc == RC_OK)
		*ret_next = latest(slots)->next;
	disk_close(fd);
	mem_free(path);
	return rc;
}

/* The first checkpoint makes the file whole; from then on it is written in place. */
static enum rc make_file(const char *folder, const char *path, uint64_t next, struct fault *fault)
{
	char *consumers = mem_format("%s/consumers", folder);
	enum rc rc = disk_make_folders(consumers, fault);
	mem_free(consumers);
	uint8_t bytes[2 * SLOT_SIZE] = {0};
	slot_write(&(struct slot){.saves = 1, .next = next}, bytes);
	if (rc == RC_OK)
		rc = disk_replace(path, slice_of(bytes, sizeof bytes), fault);
	return rc;
}

static enum rc write_slot(int fd, const char *path, uint64_t next, struct fault *fault)
{
	struct slot slots[2];
	enum rc rc = load_slots(fd, path, slots, fault);
	if (rc != RC_OK)
		return rc;
	const struct slot *last = latest(slots);
	int other = last == &slots[0];
	uint8_t bytes[SLOT_SIZE];
	slot_write(&(struct slot){.saves = last->saves + 1, .next = next}, bytes);
	struct iovec part = {bytes, sizeof bytes};
	rc = disk_write(fd, path, &part, 1, (uint64_t)other * SLOT_SIZE, fault);
	return rc == RC_OK ? disk_sync(fd, path, fault) : rc;
}

enum rc hub_checkpoint_save(
	const char *folder, const char *consumer, uint64_t next, struct fault *fault)
{
	char *path = file_of(folder, consumer);
	int fd = -1;
	enum rc rc = disk_open(path, O_RDWR, &fd, fault);
	if (rc == RC_NOT_FOUND)
		rc = make_file(folder, path, next, fault);
	else if (rc == RC_OK)
		rc = write_slot(fd, path, next, fault);
	disk_close(fd);
	mem_free(path);
	return rc;
}

struct listing {
	const char *folder;
	enum rc (*each)(void *context, const char *consumer, uint64_t next, struct fault *fault);
	void *context;
};

static enum rc list_one(void *context, const char *name, struct fault *fault)
{
	const struct listing *listing = context;
	const char *dot = strrchr(name, '.');
	if (!dot || strcmp(dot, ".checkpoint") != 0)
		return RC_OK;
	char *consumer = mem_text_of(name, (size_t)(dot - name));
	uint64_t next;
	enum rc rc = hub_checkpoint_load(listing->folder, consumer, &next, fault);
	if (rc == RC_OK)
		rc = listing->each(listing->context, consumer, next, fault);
	mem_free(consumer);
	return rc;
}

enum rc hub_checkpoint_list(const char *folder,
	enum rc (*each)(void *context, const char *consumer, uint64_t next, struct fault *fault),
	void *context, struct fault *fault)
{
	struct listing listing = {folder, each, context};
	char *consumers = mem_format("%s/consumers", folder);
	enum rc rc = disk_list(consumers, list_one, &listing, fault);
	mem_free(consumers);
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}
