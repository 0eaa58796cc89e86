/* /healthz: whether to leave this process alone.
 *
 * Only a stage that has failed makes it 503: it will not go on without somebody's hand. A stage
 * that waits (the source is away, the disk is full, a target refuses for now) goes on by itself,
 * and a restart would mend nothing: visible, but 200. So is one that still starts: a long recovery
 * must not be cut short by the one who probes. */
#include "console/inside.h"

#include "base/json.h"

static bool is_quiet(uint64_t state)
{
	return state == STAGE_RUNNING || state == STAGE_DONE;
}

static void put_stage(const struct stage *stage, struct buf *out)
{
	char text[STAGE_TEXT_MAX], place[STAGE_TEXT_MAX];
	stage_texts(stage, text, place);
	buf_text(out, out->at[out->len - 1] == '[' ? "{" : ",{");
	buf_json_key(out, "stage");
	buf_json_string(out, slice_text(stage_name(stage)));
	buf_json_key(out, "state");
	buf_json_string(
		out, slice_text(stage_state_name((enum stage_state)stage_get(stage, STAGE_STATE))));
	buf_json_key(out, "text");
	buf_json_string(out, slice_text(text));
	buf_u8(out, '}');
}

/* The gravest: failed, waiting, starting, ok. */
static const char *worst(void)
{
	bool starts = false, waits = false;
	const struct stage *stage;
	for (size_t i = 0; (stage = stage_at(i)); i++) {
		uint64_t state = stage_get(stage, STAGE_STATE);
		if (state == STAGE_FAILED)
			return "failed";
		waits |= state == STAGE_WAITING;
		starts |= state == STAGE_STARTING;
	}
	return waits ? "waiting" : starts ? "starting" : "ok";
}

bool health_write(struct buf *out)
{
	const char *status = worst();
	buf_u8(out, '{');
	buf_json_key(out, "status");
	buf_json_string(out, slice_text(status));
	if (strcmp(status, "ok") != 0) {
		buf_json_key(out, "stages");
		buf_u8(out, '[');
		const struct stage *stage;
		for (size_t i = 0; (stage = stage_at(i)); i++) {
			if (!is_quiet(stage_get(stage, STAGE_STATE)))
				put_stage(stage, out);
		}
		buf_u8(out, ']');
	}
	buf_text(out, "}\n");
	return strcmp(status, "failed") != 0;
}
