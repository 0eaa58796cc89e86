/* From the configuration to the options of rooms, where that takes more than copying; see setup.c.
 *
 * Thread: main. Texts live as long as the setup. */
#ifndef MAIN_SETUP_H
#define MAIN_SETUP_H

#include "capture/capture.h"
#include "console/console.h"
#include "main/cli.h"

struct setup {
	struct buf password;
	char *source_name; /* "127.0.0.1:3306" or the socket, for people */
	char *targets[CONFIG_SINKS_MAX];
};

/* Reads the password file, where there is one. */
MUST_USE enum rc setup_init(struct setup *setup, const struct cli *cli, struct fault *fault);
void setup_release(struct setup *setup);

/* Where and how to connect to the source. */
MUST_USE enum rc setup_source(const struct setup *setup, const struct cli *cli,
	struct mysql_options *ret_options, struct fault *fault);

/* All but hub and stage. */
MUST_USE enum rc setup_capture(const struct setup *setup, const struct cli *cli,
	struct capture_options *ret_options, struct fault *fault);

/* A sink's name, type and target, for the console. */
struct console_sink setup_console_sink(
	struct setup *setup, const struct config *config, size_t index);

#endif
