/* The meta file of a stream, FOLDER/stream.json: what never changes about it; see hub.h.
 *
 * One line of JSON and, on the next line, its CRC32C in hex, so that a damaged file is found and
 * not believed. */
#include <jansson.h>
#include <stdio.h>

#include "base/checksum.h"
#include "base/clock.h"
#include "base/disk.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/backend.h"

enum { META_VERSION = 1, META_BYTES_MAX = 4096 };

static char *file_of(const char *folder)
{
	return mem_format("%s/stream.json", folder);
}

static bool parse(const char *line, size_t len, struct hub_meta *ret_meta)
{
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(root, "name"));
	json_int_t version = json_integer_value(json_object_get(root, "version"));
	json_int_t shards = json_integer_value(json_object_get(root, "shards"));
	json_int_t created = json_integer_value(json_object_get(root, "created_us"));
	bool good = version == META_VERSION && name && strlen(name) < sizeof ret_meta->name &&
		shards > 0 && shards <= LOG_SHARDS_MAX;
	if (good) {
		*ret_meta = (struct hub_meta){.shards = (uint32_t)shards, .created_us = created};
		(void)snprintf(ret_meta->name, sizeof ret_meta->name, "%s", name);
	}
	json_decref(root);
	return good;
}

enum rc hub_meta_read(const char *folder, struct hub_meta *ret_meta, struct fault *fault)
{
	char *path = file_of(folder);
	struct buf text = buf_of(META_BYTES_MAX);
	enum rc rc = disk_load(path, &text, fault);
	if (rc == RC_OK) {
		const char *line = buf_cstring(&text);
		const char *end = strchr(line, '\n');
		char crc[16] = "";
		if (end)
			(void)snprintf(crc, sizeof crc, "%08x\n",
				checksum_crc32c(0, line, (size_t)(end - line)));
		if (!end || strcmp(end + 1, crc) != 0 ||
			!parse(line, (size_t)(end - line), ret_meta)) {
			rc = fault_set(
				fault, RC_CORRUPT, "'%s' is damaged, or of another version", path);
			fault_hint(fault,
				"restore the file; docs/formats/segment.md says what it holds");
		}
	}
	buf_release(&text);
	mem_free(path);
	return rc;
}

static enum rc meta_write(const struct hub_meta *meta, const char *folder, struct fault *fault)
{
	struct buf text = buf_of(META_BYTES_MAX);
	buf_format(&text, "{\"version\":%d,\"name\":", META_VERSION);
	buf_json_string(&text, slice_text(meta->name));
	buf_format(&text, ",\"format\":\"millstream\",\"shards\":%u,\"created_us\":%lld}",
		meta->shards, (long long)meta->created_us);
	uint32_t crc = checksum_crc32c(0, text.at, text.len);
	buf_format(&text, "\n%08x\n", crc);
	char *path = file_of(folder);
	enum rc rc = disk_replace(path, buf_as_slice(&text), fault);
	mem_free(path);
	buf_release(&text);
	return rc;
}

enum rc hub_meta_open(const struct hub_options *options, const char *folder,
	struct hub_meta *ret_meta, struct fault *fault)
{
	enum rc rc = hub_meta_read(folder, ret_meta, fault);
	if (rc == RC_NOT_FOUND) {
		*ret_meta =
			(struct hub_meta){.shards = options->shards, .created_us = clock_wall_us()};
		(void)snprintf(ret_meta->name, sizeof ret_meta->name, "%s", options->name);
		return meta_write(ret_meta, folder, fault);
	}
	if (rc == RC_OK && ret_meta->shards != options->shards) {
		rc = fault_set(fault, RC_CONFIG,
			"stream '%s' has %u shards, the configuration says %u", options->name,
			ret_meta->shards, options->shards);
		fault_hint(
			fault, "set stream.shards to %u, or name a new stream", ret_meta->shards);
	}
	return rc;
}
