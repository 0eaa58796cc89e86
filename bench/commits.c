/* Commits one-row transactions at fixed times, for `./dev bench latency`.
 *
 *   commits SOCKET USER PASSWORD RATE COUNT LANES
 *
 * RATE transactions a second into bench.orders, COUNT of them with ids from 1 on, by LANES
 * connections in turn: each one at its own time, whether or not those before it have been answered
 * (an open loop; with enough lanes a slow commit delays no other one). Prints a line for each, in
 * no order: "ID DUE ACKNOWLEDGED", the times being CLOCK_MONOTONIC in nanoseconds. */
#include <inttypes.h>
#include <mysql.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LANES_MAX = 64 };
#define NS INT64_C(1000000000)

struct wish {
	const char *socket, *user, *password;
	int64_t start, interval, count, lanes;
};

struct lane {
	const struct wish *wish;
	int64_t first; /* then every `lanes`th */
	MYSQL *mysql;
	int64_t *due, *acknowledged; /* by number of the transaction, shared by all */
	const char *fault;
	pthread_t thread;
};

static int64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NS + time.tv_nsec;
}

static void sleep_until(int64_t at)
{
	struct timespec time = {.tv_sec = at / NS, .tv_nsec = at % NS};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0)
		continue;
}

static void *run(void *arg)
{
	struct lane *lane = arg;
	const struct wish *wish = lane->wish;
	for (int64_t i = lane->first; i < wish->count && !lane->fault; i += wish->lanes) {
		char statement[400];
		lane->due[i] = wish->start + i * wish->interval;
		(void)snprintf(statement, sizeof statement,
			"insert into bench.orders values (%" PRId64
			", 1000001, 'SKU-00000001', 'new', 1, 9.99, 'user1@example.com', "
			"'order note: deliver to the door, thanks', now(6), now(3))",
			i + 1);
		sleep_until(lane->due[i]);
		if (mysql_query(lane->mysql, statement) != 0)
			lane->fault = mysql_error(lane->mysql);
		lane->acknowledged[i] = now();
	}
	return NULL;
}

static const char *open_lane(struct lane *lane)
{
	const struct wish *wish = lane->wish;
	lane->mysql = mysql_init(NULL);
	bool is_open = mysql_real_connect(
		lane->mysql, NULL, wish->user, wish->password, NULL, 0, wish->socket, 0);
	return is_open ? NULL : mysql_error(lane->mysql);
}

static const char *run_all(struct wish *wish, struct lane *lanes)
{
	const char *fault = NULL;
	for (int64_t i = 0; i < wish->lanes && !fault; i++)
		fault = open_lane(&lanes[i]);
	wish->start = now() + NS / 10;
	int64_t started = 0;
	for (; started < wish->lanes && !fault; started++) {
		if (pthread_create(&lanes[started].thread, NULL, run, &lanes[started]) != 0)
			fault = "cannot start a thread";
	}
	for (int64_t i = 0; i < started; i++) {
		(void)pthread_join(lanes[i].thread, NULL);
		fault = fault ? fault : lanes[i].fault;
	}
	return fault;
}

int main(int count, char **words)
{
	static struct lane lanes[LANES_MAX];
	if (count != 7) {
		fprintf(stderr, "usage: commits SOCKET USER PASSWORD RATE COUNT LANES\n");
		return 2;
	}
	struct wish wish = {.socket = words[1],
		.user = words[2],
		.password = words[3],
		.interval = NS / strtol(words[4], NULL, 10),
		.count = strtol(words[5], NULL, 10),
		.lanes = strtol(words[6], NULL, 10)};
	int64_t *due = calloc((size_t)wish.count, sizeof *due);
	int64_t *acknowledged = calloc((size_t)wish.count, sizeof *acknowledged);
	if (!due || !acknowledged || wish.lanes < 1 || wish.lanes > LANES_MAX)
		return 2;
	for (int64_t i = 0; i < wish.lanes; i++)
		lanes[i] = (struct lane){
			.wish = &wish, .first = i, .due = due, .acknowledged = acknowledged};
	const char *fault = run_all(&wish, lanes);
	if (fault) {
		fprintf(stderr, "commits: %s\n", fault);
		return 1;
	}
	for (int64_t i = 0; i < wish.count; i++)
		printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", i + 1, due[i], acknowledged[i]);
	return 0;
}
