/* A server of one connection at a time, by script: it greets, takes any login, answers statements
 * from a table and plays prepared packets to a dump. It can send its bytes in small pieces, and
 * close after any number of them.
 *
 * Runs in a thread of its own on a socket in a private folder. */
#ifndef TESTS_MYSQL_FAKE_SERVER_H
#define TESTS_MYSQL_FAKE_SERVER_H

#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit.h"

#include "base/buf.h"
#include "base/checksum.h"
#include "mysql/mysql.h"

enum { FAKE_SILENT = 1 }; /* as an error: never answers */

struct fake_answer {
	const char *prefix;       /* of the statement */
	unsigned error;           /* answers an error instead */
	size_t columns;           /* 0: OK without rows */
	const char *const *cells; /* row by row, NULL-terminated */
};

struct fake {
	char *folder;
	char path[100];
	int listener;
	pthread_t thread;
	const struct fake_answer *answers;
	struct buf dump;  /* packets that answer a dump */
	size_t cut_after; /* bytes; SIZE_MAX: never */
	size_t piece;     /* bytes of a write; 0: all at once */
	bool closes;      /* after the dump; else it waits for the client */
	size_t written;   /* in this connection */
	uint8_t dump_command[1024];
	size_t dump_command_len;
	char statements[8192]; /* all of them, a line each */
};

/* ---- packets ---- */

static inline void fake_packet(struct buf *out, uint8_t sequence, const void *bytes, size_t len)
{
	buf_u8(out, (uint8_t)len);
	buf_u8(out, (uint8_t)(len >> 8));
	buf_u8(out, (uint8_t)(len >> 16));
	buf_u8(out, sequence);
	buf_bytes(out, bytes, len);
}

static inline void fake_ok(struct buf *out, uint8_t sequence)
{
	fake_packet(out, sequence, "\0\0\0\2\0\0\0", 7);
}

static inline void fake_error(struct buf *out, uint8_t sequence, unsigned number, const char *text)
{
	struct buf body = buf_of(2000);
	buf_u8(&body, 0xff);
	buf_u16le(&body, (uint16_t)number);
	buf_format(&body, "#HY000%s", text);
	fake_packet(out, sequence, body.at, body.len);
	buf_release(&body);
}

static inline void fake_result(struct buf *out, size_t columns, const char *const *cells)
{
	static const char column[] = "\3def\0\0\0\1c\1c\x0c\x2d\0\0\4\0\0\xfd\0\0\0\0\0";
	uint8_t sequence = 1;
	struct buf body = buf_of(100000);
	buf_u8(&body, (uint8_t)columns);
	fake_packet(out, sequence++, body.at, body.len);
	for (size_t i = 0; i < columns; i++) {
		buf_reset(&body);
		buf_bytes(&body, column, sizeof column - 1);
		fake_packet(out, sequence++, body.at, body.len);
	}
	fake_packet(out, sequence++, "\xfe\0\0\2\0", 5);
	for (size_t i = 0; cells && cells[i]; i += columns) {
		buf_reset(&body);
		for (size_t c = 0; c < columns; c++) {
			if (strcmp(cells[i + c], "NULL") == 0) {
				buf_u8(&body, 0xfb);
				continue;
			}
			buf_u8(&body, (uint8_t)strlen(cells[i + c]));
			buf_text(&body, cells[i + c]);
		}
		fake_packet(out, sequence++, body.at, body.len);
	}
	fake_packet(out, sequence++, "\xfe\0\0\2\0", 5);
	buf_release(&body);
}

/* ---- the conversation ---- */

static inline bool fake_write(struct fake *fake, int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		size_t len = fake->piece && fake->piece < bytes.len ? fake->piece : bytes.len;
		if (len > fake->cut_after - fake->written)
			len = fake->cut_after - fake->written;
		if (len == 0)
			return false;
		ssize_t sent = send(fd, bytes.at, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		fake->written += (size_t)sent;
		bytes = slice_of(bytes.at + sent, bytes.len - (size_t)sent);
	}
	return fake->written < fake->cut_after;
}

static inline bool fake_read(int fd, uint8_t *at, size_t room, size_t *ret_len)
{
	uint8_t header[4];
	if (recv(fd, header, 4, MSG_WAITALL) != 4)
		return false;
	*ret_len = load_u24le(header);
	return *ret_len <= room && recv(fd, at, *ret_len, MSG_WAITALL) == (ssize_t)*ret_len;
}

static inline void fake_answer_query(struct fake *fake, struct slice sql, struct buf *out)
{
	size_t used = strlen(fake->statements);
	snprintf(
		fake->statements + used, sizeof fake->statements - used, "%.*s\n", SLICE_ARGS(sql));
	for (const struct fake_answer *answer = fake->answers; answer && answer->prefix; answer++) {
		if (!slice_starts(sql, slice_text(answer->prefix)))
			continue;
		if (answer->error == FAKE_SILENT)
			return;
		if (answer->error)
			fake_error(out, 1, answer->error, answer->cells[0]);
		else if (answer->columns > 0)
			fake_result(out, answer->columns, answer->cells);
		else
			fake_ok(out, 1);
		return;
	}
	fake_ok(out, 1);
}

static inline bool fake_command(struct fake *fake, int fd, struct slice command, struct buf *out)
{
	struct slice rest = slice_of(command.at + 1, command.len - 1);
	switch (command.at[0]) {
	case 0x03:
		fake_answer_query(fake, rest, out);
		return fake_write(fake, fd, buf_as_slice(out));
	case 0x12:
	case 0x1e:
		fake->dump_command_len = command.len < sizeof fake->dump_command
			? command.len
			: sizeof fake->dump_command;
		memcpy(fake->dump_command, command.at, fake->dump_command_len);
		return fake_write(fake, fd, buf_as_slice(&fake->dump)) && !fake->closes;
	default:
		return false;
	}
}

static inline void fake_talk(struct fake *fake, int fd)
{
	static const char greeting[] = "\x0a"
				       "8.0.99-fake\0"
				       "\1\0\0\0"
				       "abcdefgh\0"
				       "\xff\xf7"
				       "\x2d"
				       "\2\0"
				       "\xff\x81"
				       "\x15"
				       "\0\0\0\0\0\0\0\0\0\0"
				       "ijklmnopqrst\0"
				       "mysql_native_password";
	static uint8_t command[100000];
	struct buf out = buf_of(1 << 20);
	size_t len;
	/* No TLS: bit 0x0800 of the capabilities is taken out. */
	fake_packet(&out, 0, greeting, sizeof greeting);
	bool goes_on = fake_write(fake, fd, buf_as_slice(&out)) &&
		fake_read(fd, command, sizeof command, &len);
	buf_reset(&out);
	fake_ok(&out, 2);
	goes_on = goes_on && fake_write(fake, fd, buf_as_slice(&out));
	while (goes_on && fake_read(fd, command, sizeof command, &len) && len > 0) {
		buf_reset(&out);
		goes_on = fake_command(fake, fd, slice_of(command, len), &out);
	}
	buf_release(&out);
}

static inline void *fake_run(void *arg)
{
	struct fake *fake = arg;
	int fd;
	while ((fd = accept(fake->listener, NULL, NULL)) >= 0) {
		fake->written = 0;
		fake_talk(fake, fd);
		close(fd);
	}
	return NULL;
}

static inline void fake_start(struct fake *fake)
{
	*fake = (struct fake){.folder = unit_folder(), .cut_after = SIZE_MAX};
	fake->dump = buf_of(64u << 20);
	snprintf(fake->path, sizeof fake->path, "%s/sock", fake->folder);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(name.sun_path, sizeof name.sun_path, "%s", fake->path);
	fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(fake->listener, 5), 0);
	assert_int_equal(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
}

static inline void fake_stop(struct fake *fake)
{
	shutdown(fake->listener, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	buf_release(&fake->dump);
	unit_folder_remove(fake->folder);
}

static inline enum rc fake_connect(struct fake *fake, struct link **ret_link, struct fault *fault)
{
	struct mysql_options options = {.host = "",
		.socket = fake->path,
		.user = "u",
		.password = "secret",
		.tls = MYSQL_TLS_PREFERRED,
		.connect_timeout_us = 2000000,
		.answer_timeout_us = 2000000};
	return link_open(&options, ret_link, fault);
}

/* ---- events ---- */

struct fake_event {
	unsigned type, flags;
	uint32_t timestamp, next_pos;
	struct slice body;
	bool no_sum;
};

/* The bytes of an event, with its checksum. */
static inline void fake_event(struct buf *out, const struct fake_event *event)
{
	size_t begin = out->len;
	size_t size = BINLOG_HEADER_SIZE + event->body.len + (event->no_sum ? 0 : 4);
	buf_u32le(out, event->timestamp);
	buf_u8(out, (uint8_t)event->type);
	buf_u32le(out, 1);
	buf_u32le(out, (uint32_t)size);
	buf_u32le(out, event->next_pos);
	buf_u16le(out, (uint16_t)event->flags);
	buf_slice(out, event->body);
	if (!event->no_sum)
		buf_u32le(out, checksum_crc32(0, out->at + begin, out->len - begin));
}

/* The same as a packet of a dump, in parts where it is long. */
static inline void fake_event_packet(
	struct buf *out, uint8_t *sequence, const struct fake_event *event)
{
	struct buf bytes = buf_of(64u << 20);
	buf_u8(&bytes, 0);
	fake_event(&bytes, event);
	size_t at = 0, len;
	do {
		len = bytes.len - at < 0xffffff ? bytes.len - at : 0xffffff;
		fake_packet(out, (*sequence)++, bytes.at + at, len);
		at += len;
	} while (len == 0xffffff);
	buf_release(&bytes);
}

/* A rotation's body. Valid until the next call. */
static inline struct slice fake_rotation(uint64_t pos, const char *file)
{
	static uint8_t body[300];
	store_u64le(body, pos);
	memcpy(body + 8, file, strlen(file));
	return slice_of(body, 8 + strlen(file));
}

/* A format description of MySQL 8; `sums` says whether events have checksums. */
static inline struct slice fake_format(bool sums)
{
	static uint8_t body[2 + 50 + 4 + 1 + 41 + 1];
	memset(body, 0, sizeof body);
	body[0] = 4;
	memcpy(body + 2, "8.0.99-fake", 11);
	body[56] = 19;
	body[sizeof body - 1] = sums;
	return slice_of(body, sizeof body);
}

#endif
