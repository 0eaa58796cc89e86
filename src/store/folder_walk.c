/* Listing a folder's objects in the order of their keys' bytes.
 *
 * A folder is sorted as if its name ended in '/', since that is the byte that follows it in the
 * keys within: a-b comes before a/b, and a0 after it. Only the folders that can hold keys of the
 * asked range are read, and one folder at a time is in memory for each level.
 *
 * Thread: the owner of the handle. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/mem.h"
#include "store/folder.h"

struct entry {
	char *name; /* of a folder: with a slash at its end */
	uint64_t size;
	bool is_folder;
};

struct entries {
	struct entry *at;
	size_t count, cap;
	const char *path; /* while it is filled */
	bool is_top;
};

static bool ends_in_meta(const char *name)
{
	size_t len = strlen(name);
	return len >= 5 && strcmp(name + len - 5, ".meta") == 0;
}

static enum rc entries_add(void *context, const char *name, struct fault *fault)
{
	struct entries *entries = context;
	if (ends_in_meta(name) || (entries->is_top && name[0] == '.'))
		return RC_OK;
	char *path = mem_format("%s/%s", entries->path, name);
	struct stat info;
	bool is_there = stat(path, &info) == 0;
	mem_free(path);
	if (!is_there && errno != ENOENT)
		return fault_errno(fault, RC_IO, "cannot look at '%s/%s'", entries->path, name);
	if (!is_there || (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)))
		return RC_OK;
	if (entries->count == entries->cap) {
		entries->cap = entries->cap ? 2 * entries->cap : 64;
		entries->at = mem_resize(entries->at, entries->cap * sizeof *entries->at);
	}
	bool is_folder = S_ISDIR(info.st_mode);
	entries->at[entries->count++] = (struct entry){
		.name = is_folder ? mem_format("%s/", name) : mem_text(name),
		.size = (uint64_t)info.st_size,
		.is_folder = is_folder,
	};
	return RC_OK;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void entries_release(struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		mem_free(entries->at[i].name);
	mem_free(entries->at);
}

/* A walk through the keys. `key` is the path at hand: a folder's (empty or ending in a slash), or
 * an object's while it is told. */
struct walk {
	const struct folder *folder;
	const char *prefix, *after;
	struct buf key;
	enum rc (*each)(void *context, const char *key, uint64_t size, struct fault *fault);
	void *context;
};

static bool is_file(const char *path)
{
	struct stat info;
	return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

/* Reads the folder at hand. One that is not there is empty. */
static enum rc entries_load(struct walk *walk, struct entries *ret_entries, struct fault *fault)
{
	char *path = mem_format("%s/%s", walk->folder->path, buf_cstring(&walk->key));
	if (walk->key.len > 0)
		path[strlen(path) - 1] = 0;
	*ret_entries = (struct entries){.path = path, .is_top = walk->key.len == 0};
	enum rc rc = is_file(path) ? RC_OK : disk_list(path, entries_add, ret_entries, fault);
	if (rc == RC_NOT_FOUND)
		rc = RC_OK;
	mem_free(path);
	if (rc != RC_OK)
		entries_release(ret_entries);
	else if (ret_entries->count > 0)
		qsort(ret_entries->at, ret_entries->count, sizeof *ret_entries->at, by_name);
	return rc;
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Whether the entry at hand is, or may hold, what is asked for. */
static bool is_wanted(struct walk *walk, const struct entry *entry)
{
	const char *key = buf_cstring(&walk->key);
	if (!starts_with(key, walk->prefix) &&
		!(entry->is_folder && starts_with(walk->prefix, key)))
		return false;
	if (!walk->after || strcmp(key, walk->after) > 0)
		return true;
	return entry->is_folder && starts_with(walk->after, key);
}

/* Steps to an entry of the folder at hand; false when it is not wanted. */
static bool step_in(struct walk *walk, size_t folder_len, const struct entry *entry)
{
	walk->key.len = folder_len;
	buf_text(&walk->key, entry->name);
	return is_wanted(walk, entry);
}

static enum rc walk_up(struct walk *walk, struct fault *fault)
{
	struct entries entries;
	enum rc rc = entries_load(walk, &entries, fault);
	if (rc != RC_OK)
		return rc;
	size_t folder_len = walk->key.len;
	for (size_t i = 0; i < entries.count && rc == RC_OK; i++) {
		const struct entry *entry = &entries.at[i];
		if (!step_in(walk, folder_len, entry))
			continue;
		if (entry->is_folder)
			rc = walk_up(walk, fault);
		else
			rc = walk->each(walk->context, buf_cstring(&walk->key), entry->size, fault);
	}
	entries_release(&entries);
	return rc;
}

/* RC_OK with the key at hand when something was found. */
static enum rc walk_down(struct walk *walk, struct fault *fault)
{
	struct entries entries;
	enum rc rc = entries_load(walk, &entries, fault);
	if (rc != RC_OK)
		return rc;
	size_t folder_len = walk->key.len;
	rc = RC_NOT_FOUND;
	for (size_t i = entries.count; i-- > 0 && rc == RC_NOT_FOUND;) {
		if (!step_in(walk, folder_len, &entries.at[i]))
			continue;
		rc = entries.at[i].is_folder ? walk_down(walk, fault) : RC_OK;
	}
	entries_release(&entries);
	return rc;
}

/* Begins in the folder that the prefix names. */
static struct walk walk_of(struct store *store, const char *prefix)
{
	enum { PATH_BYTES_MAX = 4096 };
	struct walk walk = {
		.folder = (const struct folder *)store,
		.prefix = prefix,
		.key = buf_of(PATH_BYTES_MAX),
	};
	const char *slash = strrchr(prefix, '/');
	if (slash)
		buf_bytes(&walk.key, prefix, (size_t)(slash - prefix) + 1);
	return walk;
}

enum rc folder_list(struct store *store, const char *prefix, const char *after,
	enum rc (*each)(void *context, const char *key, uint64_t size, struct fault *fault),
	void *context, struct fault *fault)
{
	struct walk walk = walk_of(store, prefix);
	walk.after = after;
	walk.each = each;
	walk.context = context;
	enum rc rc = walk_up(&walk, fault);
	buf_release(&walk.key);
	return rc;
}

enum rc folder_last(struct store *store, const char *prefix, struct buf *key, struct fault *fault)
{
	struct walk walk = walk_of(store, prefix);
	enum rc rc = walk_down(&walk, fault);
	if (rc == RC_OK)
		buf_slice(key, buf_as_slice(&walk.key));
	else if (rc == RC_NOT_FOUND)
		rc = fault_set(fault, rc, "nothing in '%s' begins with '%s'", store->name, prefix);
	buf_release(&walk.key);
	return rc;
}
