/* The inside of the folder backend, shared by folder.c (opening, reading), folder_publish.c
 * (writing) and folder_walk.c (listing).
 *
 * On disk: PATH/KEY are the objects, PATH/KEY.meta their metadata, PATH/.stage/ what is being
 * written, PATH/.lock the file whose flock orders the writers. */
#ifndef STORE_FOLDER_H
#define STORE_FOLDER_H

#include "store/backend.h"

struct folder {
	struct store store; /* first */
	char *path;
	int lock_fd;
	char *ready; /* the folder of keys that was made durable last; NULL: none yet */
};

/* PATH/.lock: waits for it. */
enum rc folder_lock(struct folder *folder, struct fault *fault);
void folder_unlock(struct folder *folder);

/* Where an object lies; the caller frees it. */
char *folder_path_of(const struct folder *folder, const char *key);

/* The slots of the backend (backend.h). */
enum rc folder_stage_begin(
	struct store *store, struct store_stage **ret_stage, struct fault *fault);
enum rc folder_stage_append(struct store_stage *base, struct slice bytes, struct fault *fault);
enum rc folder_stage_publish(
	struct store_stage *base, const char *key, struct slice meta, struct fault *fault);
void folder_stage_close(struct store_stage *base);
enum rc folder_replace(
	struct store *store, const char *key, struct slice bytes, struct fault *fault);
enum rc folder_delete(struct store *store, const char *key, struct fault *fault);
enum rc folder_settle(struct store *store, const char *key, struct fault *fault);
enum rc folder_list(struct store *store, const char *prefix, const char *after,
	enum rc (*each)(void *context, const char *key, uint64_t size, struct fault *fault),
	void *context, struct fault *fault);
enum rc folder_last(struct store *store, const char *prefix, struct buf *key, struct fault *fault);

#endif
