/* Writing lines of the format millstream; see event.h and docs/formats/event.md. Rows are written
 * by their caller, piece by piece, straight into a batch; control records are whole here. */
#include "base/checksum.h"
#include "base/json.h"
#include "event/event.h"

static void put_origin(struct buf *out, const struct event_origin *origin, uint64_t pos)
{
	uint8_t time[32];
	buf_text(out, "\"ts\":\"");
	buf_bytes(out, time,
		(size_t)(json_put_time_us(time, origin->ts_us, origin->ts_has_micros ? 6 : 0) -
			time));
	buf_text(out, "\",\"pos\":{\"file\":");
	buf_json_string(out, slice_text(origin->file));
	buf_text(out, ",\"pos\":");
	buf_json_u64(out, pos);
	if (origin->gtid[0]) { /* digits, dashes, colons and tags only */
		buf_text(out, ",\"gtid\":\"");
		buf_text(out, origin->gtid);
		buf_u8(out, '"');
	}
}

void event_line_prefix(enum event_op op, const struct event_table *table,
	const struct event_origin *origin, uint64_t pos, struct buf *out)
{
	buf_reset(out);
	buf_text(out, "{\"op\":\"");
	buf_u8(out, (uint8_t)op);
	buf_text(out, "\",");
	buf_slice(out, table->names);
	put_origin(out, origin, pos);
	buf_text(out, ",\"row\":");
}

uint8_t *event_put_row_and_ordinal(uint8_t *at, uint64_t row, uint64_t ordinal)
{
	at = json_put_u64(at, row);
	at = json_put_bytes(at, "},\"ord\":", 8);
	return json_put_u64(at, ordinal);
}

static void put_columns(struct buf *out, const struct event_table *table)
{
	buf_text(out, ",\"columns\":[");
	for (size_t i = 0; i < table->column_count; i++) {
		const struct event_column *column = &table->columns[i];
		buf_text(out, i > 0 ? ",{\"name\":" : "{\"name\":");
		buf_json_string(out, slice_text(column->name));
		buf_text(out, ",\"type\":");
		buf_json_string(out, slice_text(column->type));
		buf_text(out, column->nullable ? ",\"null\":true}" : ",\"null\":false}");
	}
	buf_text(out, "],\"primary_key\":[");
	for (size_t i = 0; i < table->key_count; i++) {
		buf_text(out, i > 0 ? "," : "");
		buf_json_string(out, slice_text(table->columns[table->key[i]].name));
	}
	buf_u8(out, ']');
}

void event_control_line(
	const struct event_control *control, const struct event_origin *origin, struct buf *out)
{
	buf_format(out, "{\"op\":\"%c\",\"db\":", (char)control->op);
	buf_json_string(out, control->database);
	buf_text(out, ",\"table\":");
	if (control->table.len > 0)
		buf_json_string(out, control->table);
	else
		buf_text(out, "null");
	buf_u8(out, ',');
	put_origin(out, origin, control->pos);
	buf_text(out, "},\"ord\":");
	buf_json_u64(out, control->ordinal);
	if (control->is_drop)
		buf_text(out, ",\"drop\":true");
	if (control->ddl.len > 0) {
		buf_text(out, ",\"ddl\":");
		buf_json_string(out, control->ddl);
	}
	if (control->columns)
		put_columns(out, control->columns);
	buf_text(out, "}\n");
}

static void put_key_name(struct buf *out, struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (strchr("|\\.", name.at[i]) && name.at[i])
			buf_u8(out, '\\');
		buf_u8(out, name.at[i]);
	}
}

void event_control_key(struct slice database, struct slice table_name, struct buf *out)
{
	put_key_name(out, database);
	buf_u8(out, '.');
	put_key_name(out, table_name);
	buf_u8(out, '|');
}

void event_key_finish(struct buf *key)
{
	size_t characters = 0;
	if (key->len <= EVENT_KEY_CHARACTERS_MAX)
		return;
	for (size_t i = 0; i < key->len; i++)
		characters += (key->at[i] & 0xc0) != 0x80;
	if (characters <= EVENT_KEY_CHARACTERS_MAX)
		return;
	uint8_t digest[SHA256_SIZE];
	char digits[SHA256_HEX_SIZE];
	checksum_sha256(key->at, key->len, digest);
	checksum_hex(digest, sizeof digest, digits);
	buf_reset(key);
	buf_bytes(key, digits, sizeof digits);
}
