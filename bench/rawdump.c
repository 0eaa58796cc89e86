/* Receives a binlog dump and does nothing with it: the limit that `./dev bench drain` prints.
 *
 *   rawdump SOCKET USER PASSWORD FILE POS END_FILE END_POS
 *
 * From FILE:POS to END_FILE:END_POS, over the unix socket, asking for what Millstream asks for:
 * events with their checksums, no annotations, as of a replica of MariaDB. Bytes are received
 * with large reads; of each packet its length is looked at, of each event its type and where it
 * ends; an event that is not whole yet is moved to the buffer's start. Prints one line of JSON:
 * events, row events, commits (XID events), bytes.
 *
 * Plain on purpose: it shares no code with the program that it is the measure of. */
#include <errno.h>
#include <mysql.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	ROOM = 1 << 20, /* larger than an event of the bench; as much as is read at once */
	HEADER = 4,     /* of a packet: length and number */
	EVENT_HEADER = 19,
	LONGEST = (1 << 24) - 1, /* a packet of this length has a second part */
	REPLICA_ID = 4711,
	ROTATE = 4,
	XID = 16,
	FIRST_ROWS = 23,
	LAST_ROWS = 25,
};

struct dump {
	int fd;
	const char *end_file;
	unsigned long end_pos;
	char file[512]; /* that events come from now */
	unsigned long long events, rows, commits, bytes;
};

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "rawdump: %s: %s\n", what, why);
	return 1;
}

static uint32_t u32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* A rotate event names the file that comes: 8 bytes of position, the name, perhaps a checksum,
 * which the one that the server makes up (its time is 0) has as well. */
static void rotate(struct dump *dump, const uint8_t *event, size_t len)
{
	size_t fixed = EVENT_HEADER + 8;
	size_t name = strlen(dump->end_file);
	if (len < fixed + name || name >= sizeof dump->file)
		return;
	memcpy(dump->file, event + fixed, name);
	dump->file[name] = 0;
}

/* Whether it was the last one. */
static int take(struct dump *dump, const uint8_t *event, size_t len)
{
	uint8_t type = event[4];
	dump->events++;
	dump->bytes += len;
	dump->rows += type >= FIRST_ROWS && type <= LAST_ROWS;
	dump->commits += type == XID;
	if (type == ROTATE)
		rotate(dump, event, len);
	return u32(event + 13) >= dump->end_pos && strcmp(dump->file, dump->end_file) == 0;
}

/* Takes the whole packets of `at`. Returns how many bytes they were; sets `ret_done` behind the
 * last one, to -1 for what is no event. */
static size_t take_all(struct dump *dump, const uint8_t *at, size_t len, int *ret_done)
{
	size_t used = 0;
	while (!*ret_done && len - used >= HEADER) {
		const uint8_t *packet = at + used;
		size_t payload = u32(packet) & 0xffffff;
		if (payload > len - used - HEADER)
			break;
		if (payload <= EVENT_HEADER || payload == LONGEST || packet[HEADER] != 0) {
			*ret_done = -1;
			break;
		}
		*ret_done = take(dump, packet + HEADER + 1, payload - 1);
		used += HEADER + payload;
	}
	return used;
}

static int receive(struct dump *dump)
{
	static uint8_t room[ROOM];
	size_t have = 0;
	int done = 0;
	while (!done) {
		ssize_t got = recv(dump->fd, room + have, ROOM - have, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return complain("receive", got < 0 ? strerror(errno) : "it is over");
		have += (size_t)got;
		size_t used = take_all(dump, room, have, &done);
		have -= used;
		memmove(room, room + used, have);
	}
	return done > 0 ? 0 : complain("receive", "the server sent what is no event");
}

static int ask(MYSQL *mysql, const char *file, unsigned long pos)
{
	static const char settings[] =
		"SET @master_binlog_checksum='CRC32', @mariadb_slave_capability=4";
	uint8_t command[512] = {0};
	size_t name = strlen(file);
	if (mysql_query(mysql, settings) != 0)
		return complain("settings", mysql_error(mysql));
	if (name > sizeof command - 10)
		return complain(file, "is too long");
	for (unsigned i = 0; i < 4; i++) {
		command[i] = (uint8_t)(pos >> 8 * i);
		command[6 + i] = (uint8_t)(REPLICA_ID >> 8 * i);
	}
	memcpy(command + 10, file, name);
	if (mysql->methods->db_command(
		    mysql, COM_BINLOG_DUMP, (const char *)command, 10 + name, 1, NULL) != 0)
		return complain("COM_BINLOG_DUMP", mysql_error(mysql));
	return 0;
}

int main(int count, char **words)
{
	if (count != 8) {
		fprintf(stderr, "usage: rawdump SOCKET USER PASSWORD FILE POS END_FILE END_POS\n");
		return 2;
	}
	MYSQL *mysql = mysql_init(NULL);
	if (!mysql_real_connect(mysql, NULL, words[2], words[3], NULL, 0, words[1], 0))
		return complain("connect", mysql_error(mysql));
	if (ask(mysql, words[4], strtoul(words[5], NULL, 10)) != 0)
		return 1;
	struct dump dump = {
		.fd = mysql_get_socket(mysql),
		.end_file = words[6],
		.end_pos = strtoul(words[7], NULL, 10),
	};
	if (receive(&dump) != 0)
		return 1;
	printf("{\"events\":%llu,\"row_events\":%llu,\"commits\":%llu,\"bytes\":%llu}\n",
		dump.events, dump.rows, dump.commits, dump.bytes);
	return 0;
}
