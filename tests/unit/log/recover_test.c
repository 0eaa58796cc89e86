#include "unit.h"

#include "fault_disk.h"
#include "log_tools.h"

#include "log/recover.c"

static const struct tool_plan plan = {
	.shards = 2, .codec = LOG_ZSTD, .line_len = 40, .control_every = 7};

enum { SEGMENT_SIZE = 4096, BATCH_RECORDS = 6 };

/* Writes groups of batches, as many in each as `groups` says; a 0 ends it. What the last group has
 * is not synced with `is_open`. */
static uint64_t write_groups(const char *folder, const int *groups, bool is_open)
{
	struct log *log = tool_open(folder, SEGMENT_SIZE);
	struct log_batch *batch = tool_batch(&plan);
	struct fault fault;
	uint64_t next = log_end(log)->is_empty ? 1 : log_end(log)->next_ordinal;
	for (; *groups; groups++) {
		for (int i = 0; i < *groups; i++, next += BATCH_RECORDS) {
			tool_fill(&plan, batch, next, BATCH_RECORDS);
			assert_rc(log_append(log, batch, &fault));
		}
		if (!is_open || groups[1])
			assert_rc(log_sync(log, &fault));
	}
	log_batch_free(batch);
	log_close(log);
	return next;
}

/* Opens; on success says what is there. */
struct outcome {
	enum rc rc;
	uint64_t next, cut_bytes, cut_batches;
	struct fault fault;
};

static struct outcome open_once(const char *folder)
{
	struct outcome outcome = {0};
	struct log *log = NULL;
	struct log_options options = {.folder = folder, .segment_size = SEGMENT_SIZE};
	outcome.rc = log_open(&options, &log, &outcome.fault);
	if (outcome.rc != RC_OK)
		return outcome;
	outcome.next = log_end(log)->is_empty ? 1 : log_end(log)->next_ordinal;
	outcome.cut_bytes = log_end(log)->cut_bytes;
	outcome.cut_batches = log_end(log)->cut_batches;
	log_close(log);
	return outcome;
}

/* A recovered log can be read up to its end, and opened again with the same end, and be gone on
 * with. */
static void check_is_sound(const char *folder, uint64_t first, uint64_t next)
{
	assert_int_equal(tool_read_all(&plan, folder, first), next);
	struct outcome again = open_once(folder);
	assert_int_equal(again.rc, RC_OK);
	assert_int_equal(again.next, next);
	assert_int_equal(again.cut_bytes, 0);
	static const int two[] = {2, 0};
	assert_int_equal(write_groups(folder, two, false), next + 2 * BATCH_RECORDS);
	assert_int_equal(tool_read_all(&plan, folder, first), next + 2 * BATCH_RECORDS);
}

static uint64_t tip_of(const char *folder)
{
	char path[512];
	snprintf(path, sizeof path, "%s/tip", folder);
	struct tool_file file = tool_load(path);
	uint64_t address = load_u64le(file.bytes + 16);
	free(file.bytes);
	return address;
}

static void set_tip(const char *folder, uint64_t address)
{
	char path[512];
	snprintf(path, sizeof path, "%s/tip", folder);
	struct tool_file file = tool_load(path);
	store_u64le(file.bytes + 16, address);
	store_u64le(file.bytes + 24, ~address);
	tool_store(path, file.bytes, file.len);
	free(file.bytes);
}

/* ---- torn tails ---- */

/* A log in one segment: three acknowledged batches, then one in a group of its own. */
struct torn_case {
	char *folder, *copy;
	struct tool_file segment;
	char segment_path[512];
	uint64_t last;        /* address of the last batch */
	uint64_t last_offset; /* and its place */
	size_t end;           /* behind it */
	uint64_t next;
};

static void setup_torn(struct torn_case *torn)
{
	static const int groups[] = {1, 1, 1, 1, 0};
	torn->folder = unit_folder();
	torn->copy = mem_format("%s-copy", torn->folder);
	torn->next = write_groups(torn->folder, groups, false);
	torn->last = tip_of(torn->folder);
	torn->last_offset = address_offset(torn->last);
	snprintf(torn->segment_path, sizeof torn->segment_path, "%s",
		tool_segment(torn->folder, 1, ".seg"));
	torn->segment = tool_load(torn->segment_path);
	torn->end = torn->segment.len;
	while (torn->segment.bytes[torn->end - 1] == 0)
		torn->end--;
	torn->end = align_up(torn->end, BATCH_ALIGN);
}

static void release_torn(struct torn_case *torn)
{
	unit_folder_remove(strdup(torn->copy));
	mem_free(torn->copy);
	unit_folder_remove(torn->folder);
	free(torn->segment.bytes);
}

/* The copy gets the segment with what is behind `from` lost: as zeros, or as an earlier end of the
 * file. */
static void lose_from(struct torn_case *torn, size_t from, bool is_short)
{
	tool_copy_folder(torn->folder, torn->copy);
	const char *path = tool_segment(torn->copy, 1, ".seg");
	uint8_t *bytes = malloc(torn->segment.len);
	memcpy(bytes, torn->segment.bytes, torn->segment.len);
	memset(bytes + from, 0, torn->segment.len - from);
	tool_store(path, bytes, is_short ? from : torn->segment.len);
	free(bytes);
}

static bool is_whole_without(const struct torn_case *torn, size_t from)
{
	for (size_t i = from; i < torn->end; i++) {
		if (torn->segment.bytes[i] != 0)
			return false;
	}
	return true;
}

static void a_tail_torn_at_any_byte_is_cut(void **state)
{
	(void)state;
	struct torn_case torn;
	setup_torn(&torn);
	set_tip(torn.folder, address_of(1, SEGMENT_ALIGN)); /* the first of them */
	for (size_t from = torn.last_offset; from <= torn.end; from++) {
		for (int is_short = 0; is_short < 2; is_short++) {
			lose_from(&torn, from, is_short);
			struct outcome outcome = open_once(torn.copy);
			bool is_whole =
				is_whole_without(&torn, from) && (!is_short || from >= torn.end);
			uint64_t next = is_whole ? torn.next : torn.next - BATCH_RECORDS;
			assert_int_equal(outcome.rc, RC_OK);
			assert_int_equal(outcome.next, next);
			assert_int_equal(outcome.cut_batches, 0);
			bool is_cut = !is_whole && from > torn.last_offset;
			assert_true(is_cut ? outcome.cut_bytes > 0 &&
						outcome.cut_bytes <=
							from - torn.last_offset + BATCH_ALIGN
					   : outcome.cut_bytes == 0);
			if (from % 8 == 0)
				check_is_sound(torn.copy, 1, next);
		}
	}
	release_torn(&torn);
}

static void an_acknowledged_tail_is_never_cut(void **state)
{
	(void)state;
	struct torn_case torn;
	setup_torn(&torn);
	char offset[32];
	snprintf(offset, sizeof offset, " at %llu:", (unsigned long long)torn.last_offset);
	for (size_t from = torn.last_offset; from < torn.end; from++) {
		if (is_whole_without(&torn, from))
			continue;
		lose_from(&torn, from, from % 2);
		struct outcome outcome = open_once(torn.copy);
		assert_int_equal(outcome.rc, RC_CORRUPT);
		assert_non_null(strstr(outcome.fault.text, ".seg'"));
		assert_non_null(strstr(outcome.fault.text, offset));
		assert_non_null(strstr(outcome.fault.hint, "docs/formats/segment.md"));
		struct tool_file file = tool_load(tool_segment(torn.copy, 1, ".seg"));
		assert_int_equal(file.len, from % 2 ? from : torn.segment.len);
		assert_memory_equal(file.bytes, torn.segment.bytes, from);
		free(file.bytes);
	}
	release_torn(&torn);
}

static void whole_batches_behind_the_tip_are_kept(void **state)
{
	(void)state;
	static const int groups[] = {1, 2, 3, 0};
	char *folder = unit_folder();
	uint64_t next = write_groups(folder, groups, true);
	assert_int_equal(tool_read_all(&plan, folder, 1), next - 3 * BATCH_RECORDS);
	struct outcome outcome = open_once(folder);
	assert_int_equal(outcome.rc, RC_OK);
	assert_int_equal(outcome.next, next);
	assert_int_equal(outcome.cut_bytes, 0);
	check_is_sound(folder, 1, next);
	unit_folder_remove(folder);
}

/* A group of three of which the first is torn: the whole ones behind it go too, and are counted. */
static void whole_batches_behind_a_torn_one_are_cut(void **state)
{
	(void)state;
	static const int groups[] = {2, 3, 0};
	char *folder = unit_folder();
	uint64_t next = write_groups(folder, groups, true);
	const char *path = tool_segment(folder, 1, ".seg");
	struct tool_file file = tool_load(path);
	struct batch_head head;
	assert_null(batch_head_peek(file.bytes + address_offset(tip_of(folder)), &head));
	uint64_t torn = address_offset(tip_of(folder)) + batch_size(&head);
	file.bytes[torn + BATCH_FIXED + 3] ^= 1;
	tool_store(path, file.bytes, file.len);
	free(file.bytes);
	struct outcome outcome = open_once(folder);
	assert_int_equal(outcome.rc, RC_OK);
	assert_int_equal(outcome.next, next - 3 * BATCH_RECORDS);
	assert_int_equal(outcome.cut_batches, 2);
	assert_true(outcome.cut_bytes > 2 * BATCH_FIXED);
	check_is_sound(folder, 1, outcome.next);
	unit_folder_remove(folder);
}

/* Bytes of an older life behind the cut must not come back when a batch of the same size is written
 * in front of them. */
static void a_cut_batch_does_not_come_back(void **state)
{
	(void)state;
	static const int groups[] = {1, 3, 0}, one[] = {1, 0};
	char *folder = unit_folder();
	uint64_t next = write_groups(folder, groups, true);
	const char *path = tool_segment(folder, 1, ".seg");
	struct tool_file old = tool_load(path);
	uint64_t tip = tip_of(folder);
	struct batch_head head;
	assert_null(batch_head_peek(old.bytes + address_offset(tip), &head));
	uint64_t torn = address_offset(tip) + batch_size(&head);
	uint8_t saved = old.bytes[torn + 9];
	old.bytes[torn + 9] ^= 1;
	tool_store(path, old.bytes, old.len);
	struct outcome outcome = open_once(folder);
	assert_int_equal(outcome.next, next - 3 * BATCH_RECORDS);
	(void)write_groups(folder, one, false);
	/* as if the cut had not reached the disk: the two old batches stand behind the new one */
	struct tool_file new = tool_load(path);
	assert_null(batch_head_peek(new.bytes + torn, &head));
	uint64_t after = torn + batch_size(&head);
	old.bytes[torn + 9] = saved;
	memcpy(new.bytes + after, old.bytes + after, new.len - after);
	tool_store(path, new.bytes, new.len);
	outcome = open_once(folder);
	assert_int_equal(outcome.rc, RC_OK);
	assert_int_equal(outcome.next, next - 2 * BATCH_RECORDS);
	assert_true(outcome.cut_bytes > 0);
	check_is_sound(folder, 1, outcome.next);
	free(old.bytes);
	free(new.bytes);
	unit_folder_remove(folder);
}

/* A file may end anywhere, not where batches may begin. */
static void a_tail_of_some_bytes_is_cut_once(void **state)
{
	(void)state;
	static const int groups[] = {1, 0};
	for (size_t some = 1; some <= 9; some++) {
		char *folder = unit_folder();
		uint64_t next = write_groups(folder, groups, false);
		struct tool_file file = tool_load(tool_segment(folder, 1, ".seg"));
		memset(file.bytes + file.len - some, 0xff, some);
		tool_store(tool_segment(folder, 1, ".seg"), file.bytes, file.len - 1);
		assert_int_equal(open_once(folder).cut_bytes > 0, some > 1);
		check_is_sound(folder, 1, next);
		free(file.bytes);
		unit_folder_remove(folder);
	}
}

/* ---- the tip ---- */

static void any_tip_will_do_where_nothing_is_damaged(void **state)
{
	(void)state;
	static const int groups[] = {1, 2, 3, 1, 4, 1, 5, 2, 0};
	char *folder = unit_folder();
	uint64_t next = write_groups(folder, groups, false);
	uint64_t tip = tip_of(folder);
	assert_true(address_segment(tip) > 2);
	char path[512];
	snprintf(path, sizeof path, "%s/tip", folder);
	struct tool_file file = tool_load(path);
	for (int i = 0; i < 8; i++) {
		struct tool_file copy = {malloc(TIP_SIZE), TIP_SIZE};
		memcpy(copy.bytes, file.bytes, TIP_SIZE);
		if (i == 0)
			copy.len = 0;
		if (i == 1)
			copy.bytes[0] ^= 1;
		if (i == 2)
			copy.bytes[24] ^= 1; /* torn */
		if (i == 3)
			copy.bytes[32] ^= 1; /* of another log */
		if (i == 4)
			copy.len = 4000;
		if (i == 5) { /* an older page: an older segment */
			store_u64le(copy.bytes + 16, address_of(1, SEGMENT_ALIGN));
			store_u64le(copy.bytes + 24, ~address_of(1, SEGMENT_ALIGN));
		}
		if (i == 6) { /* the page of the beginning */
			memset(copy.bytes + 16, 0, 8);
			memset(copy.bytes + 24, 0xff, 8);
		}
		tool_store(path, copy.bytes, copy.len);
		if (i == 7)
			assert_int_equal(unlink(path), 0);
		free(copy.bytes);
		struct outcome outcome = open_once(folder);
		assert_int_equal(outcome.rc, RC_OK);
		assert_int_equal(outcome.next, next);
		assert_int_equal(outcome.cut_bytes, 0);
		assert_int_equal(tip_of(folder), tip);
	}
	free(file.bytes);
	check_is_sound(folder, 1, next);
	unit_folder_remove(folder);
}

/* Without a tip, a later batch says what was durable. */
static void damage_in_front_of_a_later_group_is_told_from_a_torn_tail(void **state)
{
	(void)state;
	static const int groups[] = {1, 1, 1, 0};
	char *folder = unit_folder();
	uint64_t next = write_groups(folder, groups, false);
	char segment[512], tip[512];
	snprintf(segment, sizeof segment, "%s", tool_segment(folder, 1, ".seg"));
	snprintf(tip, sizeof tip, "%s/tip", folder);
	struct tool_file file = tool_load(segment);
	uint64_t last = address_offset(tip_of(folder));
	for (uint64_t at = SEGMENT_ALIGN; at < last + 200; at += 5) {
		file.bytes[at] ^= 0x10;
		tool_store(segment, file.bytes, file.len);
		file.bytes[at] ^= 0x10;
		assert_int_equal(unlink(tip), 0);
		struct outcome outcome = open_once(folder);
		if (at < last) {
			assert_int_equal(outcome.rc, RC_CORRUPT);
			assert_non_null(strstr(outcome.fault.text, "acknowledged"));
			assert_non_null(strstr(outcome.fault.text, segment));
		} else {
			assert_int_equal(outcome.rc, RC_OK);
			assert_int_equal(outcome.next, next - BATCH_RECORDS);
			assert_true(outcome.cut_bytes > 0);
		}
	}
	free(file.bytes);
	unit_folder_remove(folder);
}

/* ---- missing files ---- */

static void a_missing_segment_is_told(void **state)
{
	(void)state;
	static const int groups[] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0};
	char *folder = unit_folder(), *copy = mem_format("%s-copy", folder);
	(void)write_groups(folder, groups, false);
	uint32_t last = address_segment(tip_of(folder));
	assert_true(last >= 3);
	for (uint32_t number = 1; number <= last; number++) {
		tool_copy_folder(folder, copy);
		assert_int_equal(unlink(tool_segment(copy, number, ".seg")), 0);
		struct outcome outcome = open_once(copy);
		assert_int_equal(outcome.rc, number == 1 ? RC_OK : RC_CORRUPT);
		assert_true(number == 1 || outcome.fault.hint[0]);
	}
	tool_copy_folder(folder, copy);
	assert_int_equal(truncate(tool_segment(copy, last - 1, ".seg"), 5000), 0);
	assert_int_equal(open_once(copy).rc, RC_CORRUPT);
	unit_folder_remove(strdup(copy));
	mem_free(copy);
	unit_folder_remove(folder);
}

static void left_over_files_are_removed(void **state)
{
	(void)state;
	static const int groups[] = {3, 3, 3, 3, 3, 3, 0};
	static const char *const names[] = {"0000000009-00000000000000000077.new",
		"0000000001-00000000000000000007.idx", "0000000001-00000000000000000000.new"};
	char *folder = unit_folder();
	char path[512];
	uint64_t next = write_groups(folder, groups, false);
	assert_int_equal(unlink(tool_segment(folder, 1, ".seg")), 0); /* as retention does */
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		tool_store(path, "rest", 4);
	}
	struct outcome outcome = open_once(folder);
	assert_int_equal(outcome.rc, RC_OK);
	assert_int_equal(outcome.next, next);
	snprintf(path, sizeof path, "ls '%s' | grep -E '\\.new|^0000000001' ", folder);
	assert_int_not_equal(system(path), 0);
	unit_folder_remove(folder);
}

/* ---- recovery that fails ---- */

static void a_recovery_that_fails_changes_nothing(void **state)
{
	(void)state;
	static const int groups[] = {2, 1, 3, 0};
	char *folder = unit_folder(), *copy = mem_format("%s-copy", folder);
	uint64_t next = write_groups(folder, groups, true);
	const char *path = tool_segment(folder, 1, ".seg");
	struct tool_file file = tool_load(path);
	memset(file.bytes + SEGMENT_ALIGN + 1900, 'x', 40); /* a tail to cut */
	tool_store(path, file.bytes, file.len);
	free(file.bytes);
	tool_copy_folder(folder, copy);
	struct outcome wanted = open_once(copy);
	assert_true(wanted.rc == RC_OK && wanted.cut_bytes > 0 && wanted.next < next);
	bool has_struck = true;
	long n = 1;
	for (; has_struck; n++) {
		tool_copy_folder(folder, copy);
		fault_disk_fail(n, n % 3 ? EIO : ENOSPC, n % 2);
		struct outcome outcome = open_once(copy);
		has_struck = fault_disk_has_struck();
		fault_disk_fail(0, 0, false);
		if (has_struck && outcome.rc != RC_OK)
			assert_true(outcome.rc == RC_IO || outcome.rc == RC_DISK_FULL);
		outcome = open_once(copy);
		assert_int_equal(outcome.rc, RC_OK);
		assert_int_equal(outcome.next, wanted.next);
		check_is_sound(copy, 1, wanted.next);
	}
	assert_true(n > 10);
	unit_folder_remove(strdup(copy));
	mem_free(copy);
	unit_folder_remove(folder);
}

/* ---- power cuts ---- */

/* Groups of all sizes over several segments, with retention. Marks: what is acknowledged, and from
 * which ordinal on everything must be there. */
static void record_writer(const char *folder, struct fault_recording *recording)
{
	static const int groups[] = {1, 2, 1, 4, 3, 1, 2, 5, 1, 1, 3, 0};
	uint64_t next = 1, kept_from = 1;
	struct fault fault;
	fault_disk_record(folder, "tip");
	struct log *log = tool_open(folder, SEGMENT_SIZE);
	struct log_batch *batch = tool_batch(&plan);
	for (const int *group = groups; *group; group++) {
		for (int i = 0; i < *group; i++, next += BATCH_RECORDS) {
			tool_fill(&plan, batch, next, BATCH_RECORDS);
			assert_rc(log_append(log, batch, &fault));
		}
		assert_rc(log_sync(log, &fault));
		fault_disk_mark(next, kept_from);
		if (group - groups < 9) /* then several segments go at once */
			continue;
		struct log_retention retention = {.size_max = 1, .keep_from = next - 12};
		struct log_retained retained;
		kept_from = next - 12;
		fault_disk_mark(next, kept_from);
		assert_rc(log_retain(log, &retention, &retained, &fault));
	}
	log_batch_free(batch);
	log_close(log);
	fault_disk_end_record(recording);
}

static uint64_t first_of(const char *folder)
{
	struct log_reader *reader = tool_reader(folder);
	uint64_t first = 0, next = 0, bytes = 0;
	struct fault fault;
	assert_rc(log_bounds(reader, &first, &next, &bytes, &fault));
	log_reader_close(reader);
	return first ? first : 1;
}

/* Power is cut again, at every point of the recovery of `image`: always the same is found. */
static void cut_recovery(const char *image, const char *again, uint64_t wanted)
{
	struct fault_recording recording;
	fault_disk_record(image, "tip");
	assert_int_equal(open_once(image).rc, RC_OK);
	fault_disk_end_record(&recording);
	for (size_t cut = 0; cut <= recording.event_count; cut++) {
		for (uint32_t variant = 0; variant < FAULT_RANDOM + 3; variant++) {
			fault_disk_image(&recording, cut, variant, again);
			struct outcome outcome = open_once(again);
			assert_int_equal(outcome.rc, RC_OK);
			assert_int_equal(outcome.next, wanted);
			assert_int_equal(tool_read_all(&plan, again, first_of(again)), wanted);
		}
	}
	fault_recording_release(&recording);
}

/* Opens an image: it has what was acknowledged, and is whole. */
static struct outcome check_image(const char *image, const struct fault_event *mark)
{
	uint64_t acknowledged = mark ? mark->mark : 1, kept_from = mark ? mark->mark2 : 1;
	struct outcome outcome = open_once(image);
	if (outcome.rc != RC_OK)
		print_error("%s\n", outcome.fault.text);
	assert_int_equal(outcome.rc, RC_OK);
	assert_true(outcome.next >= acknowledged);
	assert_int_equal((outcome.next - 1) % BATCH_RECORDS, 0);
	uint64_t first = first_of(image);
	assert_true(first <= kept_from);
	check_is_sound(image, first, outcome.next);
	return outcome;
}

static void a_power_cut_at_any_point_loses_nothing(void **state)
{
	(void)state;
	char *folder = unit_folder();
	char *image = mem_format("%s-image", folder), *again = mem_format("%s-again", folder);
	struct fault_recording recording;
	record_writer(folder, &recording);
	size_t torn = 0, cut_again = 0;
	for (size_t cut = 0; cut <= recording.event_count; cut++) {
		for (uint32_t variant = 0; variant < FAULT_RANDOM + 8; variant++) {
			const struct fault_event *mark = fault_disk_marked(&recording, cut);
			fault_disk_image(&recording, cut, variant, image);
			struct outcome outcome = check_image(image, mark);
			if (outcome.cut_bytes > 0 && torn++ % 8 == 0) {
				fault_disk_image(&recording, cut, variant, image);
				cut_recovery(image, again, outcome.next);
				cut_again++;
			}
		}
	}
	assert_true(torn > 50 && cut_again > 5);
	fault_recording_release(&recording);
	unit_folder_remove(strdup(image));
	unit_folder_remove(strdup(again));
	mem_free(image);
	mem_free(again);
	unit_folder_remove(folder);
}

/* A writer stops at its `nth` call; what it wrote is in memory, as after a kill. Recovery follows,
 * another batch too if it `goes_on`, and then power is cut. False when the writer got to its end.
 */
static bool stop_recover_and_cut(long nth, bool goes_on, const char *folder, const char *image)
{
	static const int groups[] = {2, 4, 3, 5, 0};
	struct log *log = NULL;
	struct log_options options = {.folder = folder, .segment_size = SEGMENT_SIZE};
	struct log_batch *batch = tool_batch(&plan);
	struct fault fault;
	fault_disk_record(folder, "tip");
	fault_disk_fail(nth, EIO, true);
	enum rc rc = log_open(&options, &log, &fault);
	uint64_t next = 1;
	for (const int *group = groups; *group && rc == RC_OK; group++) {
		for (int i = 0; i < *group && rc == RC_OK; i++, next += BATCH_RECORDS) {
			tool_fill(&plan, batch, next, BATCH_RECORDS);
			rc = log_append(log, batch, &fault);
		}
		if (rc == RC_OK)
			rc = log_sync(log, &fault);
	}
	log_batch_free(batch);
	log_close(log);
	bool has_struck = fault_disk_has_struck();
	fault_disk_fail(0, 0, false);
	static const int one[] = {1, 0};
	next = goes_on ? write_groups(folder, one, false) : open_once(folder).next;
	struct fault_recording recording;
	fault_disk_end_record(&recording);
	for (uint32_t variant = 0; variant < FAULT_RANDOM + 3; variant++) {
		fault_disk_image(&recording, recording.event_count, variant, image);
		assert_int_equal(open_once(image).next, next);
		assert_int_equal(tool_read_all(&plan, image, 1), next);
	}
	fault_recording_release(&recording);
	return has_struck;
}

static void what_recovery_has_published_is_durable(void **state)
{
	(void)state;
	bool has_struck = true;
	for (long i = 2; has_struck; i++) { /* each call twice */
		char *folder = unit_folder(), *image = mem_format("%s-image", folder);
		has_struck = stop_recover_and_cut(i / 2, i % 2, folder, image);
		unit_folder_remove(strdup(image));
		mem_free(image);
		unit_folder_remove(folder);
	}
}

/* ---- the documented way on ---- */

/* Does what docs/formats/segment.md says under "damage", with what the fault says. */
static void give_up_damaged(const char *folder, const struct fault *fault)
{
	const char *file = strchr(fault->text, '\''), *end = file ? strstr(file, "' at ") : NULL;
	assert_non_null(end);
	unsigned long long offset = strtoull(end + 5, NULL, 10);
	char command[900], path[400];
	snprintf(path, sizeof path, "%.*s", (int)(end - file - 1), file + 1);
	if (offset < SEGMENT_ALIGN)
		snprintf(command, sizeof command, "cd '%s' && rm '%s' tip", folder, path);
	else
		snprintf(command, sizeof command, "cd '%s' && truncate --size=%llu '%s' && rm tip",
			folder, offset, path);
	assert_int_equal(system(command), 0);
}

static void damage_and_go_on(const char *copy, uint64_t place, bool has_tip, uint64_t next)
{
	const char *path = tool_segment(copy, address_segment(tip_of(copy)), ".seg");
	struct tool_file file = tool_load(path);
	file.bytes[place] ^= 1;
	tool_store(path, file.bytes, file.len);
	free(file.bytes);
	if (!has_tip)
		tool_store(tool_file_in(copy, "tip"), "", 0);
	struct outcome outcome = open_once(copy);
	if (outcome.rc == RC_CORRUPT) {
		give_up_damaged(copy, &outcome.fault);
		outcome = open_once(copy);
	}
	assert_int_equal(outcome.rc, RC_OK);
	assert_true(outcome.next <= next && outcome.next > 1);
	/* below the tip, opening need not have seen it; reading has */
	if (place != SEGMENT_ALIGN + 5 || !has_tip)
		check_is_sound(copy, 1, outcome.next);
}

static void the_documented_way_on_works(void **state)
{
	(void)state;
	static const int groups[] = {1, 2, 3, 1, 4, 1, 5, 2, 2, 2, 2, 0};
	char *folder = unit_folder(), *copy = mem_format("%s-copy", folder);
	uint64_t next = write_groups(folder, groups, false);
	uint64_t tip = address_offset(tip_of(folder));
	uint64_t places[] = {0, 30, 500, SEGMENT_ALIGN + 5, tip + 9, tip + 300};
	for (size_t i = 0; i < 2 * sizeof places / sizeof places[0]; i++) {
		tool_copy_folder(folder, copy);
		damage_and_go_on(copy, places[i / 2], i % 2, next);
	}
	unit_folder_remove(strdup(copy));
	mem_free(copy);
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_power_cut_at_any_point_loses_nothing),
	cmocka_unit_test(what_recovery_has_published_is_durable),
	cmocka_unit_test(a_tail_torn_at_any_byte_is_cut),
	cmocka_unit_test(an_acknowledged_tail_is_never_cut),
	cmocka_unit_test(whole_batches_behind_the_tip_are_kept),
	cmocka_unit_test(whole_batches_behind_a_torn_one_are_cut),
	cmocka_unit_test(a_cut_batch_does_not_come_back),
	cmocka_unit_test(a_tail_of_some_bytes_is_cut_once),
	cmocka_unit_test(any_tip_will_do_where_nothing_is_damaged),
	cmocka_unit_test(damage_in_front_of_a_later_group_is_told_from_a_torn_tail),
	cmocka_unit_test(the_documented_way_on_works),
	cmocka_unit_test(a_missing_segment_is_told),
	cmocka_unit_test(left_over_files_are_removed),
	cmocka_unit_test(a_recovery_that_fails_changes_nothing),
};
int main(void)
{
	thread_assert_off();
	fault_disk_start(); /* which syncs nothing: these tests lose no power */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
