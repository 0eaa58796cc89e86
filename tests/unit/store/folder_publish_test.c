/* Power cuts: what the folder's calls to the disk promise, held against a model of a disk.
 *
 * The model is as unkind as POSIX allows: bytes are there when their file was synced behind them;
 * an entry of a folder is made or removed for good when that folder was synced behind it, else it
 * may be there or not, each independently of all others. A rename is two such changes. Every prefix
 * of the recorded calls is cut, with many choices of what survives. */
#include "unit.h"

#include "store/folder_publish.c"

enum kind { BIND, UNBIND, WRITE, SYNC, SYNC_FOLDER, DONE };

enum { EVENTS_MAX = 2000, FILES_MAX = 300, NAMES_MAX = 300, FDS_MAX = 1024, SEEDS = 60 };

static struct event {
	enum kind kind;
	int file;       /* BIND, WRITE, SYNC */
	char path[200]; /* BIND, UNBIND, SYNC_FOLDER, DONE; inside of the store */
} events[EVENTS_MAX];
static size_t event_count;

static char contents[FILES_MAX][64]; /* what was written to each file */
static int file_count;
static int file_of_fd[FDS_MAX];

static struct name {
	char path[200];
	int file;
} names[NAMES_MAX]; /* as they are without a power cut */
static size_t name_count;

static char *place;

/* ---- recording ---- */

static const char *inside(const char *path)
{
	size_t len = strlen(place);
	return path[len] == '/' ? path + len + 1 : "";
}

static struct event *note(enum kind kind, int file, const char *path)
{
	assert_true(event_count < EVENTS_MAX);
	struct event *event = &events[event_count++];
	*event = (struct event){.kind = kind, .file = file};
	snprintf(event->path, sizeof event->path, "%s", path);
	return event;
}

static struct name *find(struct name *list, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].path, path) == 0)
			return &list[i];
	}
	return NULL;
}

static void bind(struct name *list, size_t *count, const char *path, int file)
{
	struct name *name = find(list, *count, path);
	if (!name) {
		assert_true(*count < NAMES_MAX);
		name = &list[(*count)++];
		snprintf(name->path, sizeof name->path, "%s", path);
	}
	name->file = file;
}

static void unbind(struct name *list, size_t *count, const char *path)
{
	struct name *name = find(list, *count, path);
	if (name)
		*name = list[--*count];
}

static int noting_open(const char *path, int flags, mode_t mode)
{
	int fd = disk_system.open(path, flags, mode);
	const char *name = inside(path);
	struct name *known = find(names, name_count, name);
	if (fd < 0 || fd >= FDS_MAX)
		return fd;
	if (!known && (flags & O_CREAT)) {
		assert_true(file_count < FILES_MAX);
		bind(names, &name_count, name, file_count);
		note(BIND, file_count, name);
		known = find(names, name_count, name);
		file_count++;
	}
	file_of_fd[fd] = known ? known->file : -1;
	return fd;
}

static ssize_t noting_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	int file = file_of_fd[fd];
	assert_int_equal(offset, strlen(contents[file]));
	for (int i = 0; i < count; i++)
		strncat(contents[file], parts[i].iov_base, parts[i].iov_len);
	note(WRITE, file, "");
	return disk_system.pwritev(fd, parts, count, offset);
}

static int noting_sync(int fd)
{
	note(SYNC, file_of_fd[fd], "");
	return 0;
}

static int noting_sync_folder(const char *path)
{
	note(SYNC_FOLDER, 0, inside(path));
	return 0;
}

static bool link_fails;

static int noting_link(const char *from, const char *to)
{
	if (link_fails) {
		errno = ENOSPC;
		return -1;
	}
	int file = find(names, name_count, inside(from))->file;
	bind(names, &name_count, inside(to), file);
	note(BIND, file, inside(to));
	return disk_system.link(from, to);
}

static int noting_rename(const char *from, const char *to)
{
	int file = find(names, name_count, inside(from))->file;
	bind(names, &name_count, inside(to), file);
	note(BIND, file, inside(to));
	unbind(names, &name_count, inside(from));
	note(UNBIND, 0, inside(from));
	return disk_system.rename(from, to);
}

static int noting_unlink(const char *path)
{
	if (find(names, name_count, inside(path))) {
		unbind(names, &name_count, inside(path));
		note(UNBIND, 0, inside(path));
	}
	return disk_system.unlink(path);
}

static void record(void)
{
	static struct disk_ops ops;
	ops = disk_system;
	ops.open = noting_open;
	ops.pwritev = noting_pwritev;
	ops.sync_data = noting_sync;
	ops.sync_folder = noting_sync_folder;
	ops.link = noting_link;
	ops.rename = noting_rename;
	ops.unlink = noting_unlink;
	disk_ops = &ops;
	event_count = name_count = 0;
	file_count = 0;
	memset(contents, 0, sizeof contents);
}

/* ---- cutting ---- */

static uint64_t dice;

static bool coin(void)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return dice >> 63;
}

static const char *parent_of(const char *path)
{
	static char parent[200];
	const char *slash = strrchr(path, '/');
	snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - path) : 0, path);
	return parent;
}

static bool is_folder_synced(const char *folder, size_t from, size_t cut)
{
	for (size_t i = from; i < cut; i++) {
		if (events[i].kind == SYNC_FOLDER && strcmp(events[i].path, folder) == 0)
			return true;
	}
	return false;
}

/* The entries after a power cut. */
static void cut_names(size_t cut, struct name *list, size_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; i < cut; i++) {
		const struct event *event = &events[i];
		if (event->kind != BIND && event->kind != UNBIND)
			continue;
		if (!is_folder_synced(parent_of(event->path), i + 1, cut) && coin())
			continue;
		if (event->kind == BIND)
			bind(list, ret_count, event->path, event->file);
		else
			unbind(list, ret_count, event->path);
	}
}

/* Whether every byte of the file is there for sure. */
static bool is_file_synced(int file, size_t cut)
{
	bool is_synced = false;
	for (size_t i = 0; i < cut; i++) {
		if (events[i].file != file)
			continue;
		if (events[i].kind == WRITE)
			is_synced = false;
		else if (events[i].kind == SYNC)
			is_synced = true;
	}
	return is_synced;
}

/* Whether the folders above a key are there for sure: each was made in front of a sync of the one
 * that holds it. */
static bool is_way_synced(const char *key, size_t cut)
{
	char path[200];
	snprintf(path, sizeof path, "%s", parent_of(key));
	while (path[0]) {
		char above[200];
		snprintf(above, sizeof above, "%s", parent_of(path));
		if (!is_folder_synced(above, 0, cut))
			return false;
		memcpy(path, above, sizeof path);
	}
	return true;
}

/* An object that can be seen is whole and has the metadata that it was published with. */
static void check_seen(size_t cut, struct name *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *path = list[i].path;
		size_t len = strlen(path);
		if (strncmp(path, "log/", 4) != 0 || strcmp(path + len - 5, ".meta") == 0)
			continue;
		char meta_path[210];
		snprintf(meta_path, sizeof meta_path, "%s.meta", path);
		const struct name *meta = find(list, count, meta_path);
		if (!is_file_synced(list[i].file, cut))
			fail_msg("cut %zu: %s is not whole", cut, path);
		if (!meta || !is_file_synced(meta->file, cut))
			fail_msg("cut %zu: %s has no whole metadata", cut, path);
		if (strcmp(contents[meta->file], contents[list[i].file]) != 0)
			fail_msg("cut %zu: %s has the metadata of another", cut, path);
	}
}

/* What was acknowledged is there. */
static void check_done(size_t cut, struct name *list, size_t count)
{
	for (size_t i = 0; i < cut; i++) {
		if (events[i].kind != DONE)
			continue;
		if (!find(list, count, events[i].path) || !is_way_synced(events[i].path, cut))
			fail_msg("cut %zu: %s is lost", cut, events[i].path);
	}
}

static void check_all_cuts(void)
{
	static struct name list[NAMES_MAX];
	size_t count;
	for (size_t cut = 0; cut <= event_count; cut++) {
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			dice = seed * 7919 + cut;
			cut_names(cut, list, &count);
			check_seen(cut, list, count);
			check_done(cut, list, count);
		}
	}
}

/* ---- the script ---- */

/* An object whose metadata is the same text as its bytes. */
static enum rc put(struct store *store, const char *key, const char *text)
{
	struct store_stage *stage = NULL;
	assert_rc(store_stage_begin(store, &stage, NULL));
	assert_rc(store_stage_append(stage, slice_text(text), NULL));
	enum rc rc = store_stage_publish(stage, key, slice_text(text), NULL);
	if (rc == RC_OK || rc == RC_EXISTS)
		note(DONE, 0, key);
	store_stage_close(stage);
	return rc;
}

static struct store *opened(void)
{
	struct store *store = NULL;
	assert_rc(store_open_folder(place, &store, NULL));
	return store;
}

static void nothing_half_is_seen_and_nothing_acknowledged_is_lost(void **state)
{
	(void)state;
	record();
	struct store *store = opened(), *other = opened();
	assert_rc(put(store, "log/s/07/1", "first"));
	assert_rc(put(other, "log/s/07/2", "second"));
	assert_int_equal(put(other, "log/s/07/1", "too late"), RC_EXISTS);
	assert_rc(put(store, "log/s/08/3", "next hour"));
	link_fails = true;
	assert_int_equal(put(store, "log/s/08/4", "left behind"), RC_DISK_FULL);
	link_fails = false;
	assert_rc(put(other, "log/s/08/4", "in its place"));
	assert_rc(store_replace(store, "manifest/s/08", SLICE("one"), NULL));
	note(DONE, 0, "manifest/s/08");
	assert_rc(store_replace(other, "manifest/s/08", SLICE("two"), NULL));
	store_close(store);
	store_close(other);
	assert_true(event_count > 80);
	check_all_cuts();
}

/* Folders that another process made, and died before they were durable. */
static void does_not_rely_on_folders_that_it_did_not_make(void **state)
{
	(void)state;
	char command[300];
	snprintf(command, sizeof command, "mkdir -p '%s/log/s/07' '%s/manifest/s'", place, place);
	assert_int_equal(system(command), 0);
	record();
	struct store *store = opened();
	assert_rc(put(store, "log/s/07/1", "first"));
	assert_rc(store_replace(store, "manifest/s/07", SLICE("one"), NULL));
	note(DONE, 0, "manifest/s/07");
	store_close(store);
	check_all_cuts();
}

/* A writer that dies right behind its link: who finds the object makes it durable. */
static void what_is_settled_is_not_lost(void **state)
{
	(void)state;
	record();
	struct store *store = opened(), *other = opened();
	size_t before = event_count;
	assert_rc(put(store, "log/s/07/1", "first"));
	/* as if it had died: neither the last sync nor the acknowledgement has happened */
	size_t linked = before;
	while (events[linked].kind != BIND || strcmp(events[linked].path, "log/s/07/1") != 0)
		linked++;
	event_count = linked + 1;
	assert_rc(store_settle(other, "log/s/07/1", NULL));
	note(DONE, 0, "log/s/07/1");
	store_close(store);
	store_close(other);
	check_all_cuts();
}

static void a_deleted_object_never_comes_back_without_its_metadata(void **state)
{
	(void)state;
	record();
	struct store *store = opened();
	assert_rc(put(store, "log/1", "first"));
	for (size_t i = 0; i < event_count; i++) {
		if (events[i].kind == DONE)
			events[i].kind = WRITE, events[i].file = FILES_MAX; /* no promise */
	}
	assert_rc(store_delete(store, "log/1", NULL));
	store_close(store);
	check_all_cuts();
}

static int make_place(void **state)
{
	(void)state;
	place = unit_folder();
	return 0;
}

static int remove_place(void **state)
{
	(void)state;
	disk_ops = &disk_system;
	unit_folder_remove(place);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

static const struct CMUnitTest tests[] = {
	TEST(nothing_half_is_seen_and_nothing_acknowledged_is_lost),
	TEST(does_not_rely_on_folders_that_it_did_not_make),
	TEST(what_is_settled_is_not_lost),
	TEST(a_deleted_object_never_comes_back_without_its_metadata),
};
UNIT_MAIN(tests)
