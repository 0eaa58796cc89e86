/* The inside of the folder backend, shared by folder.c (objects) and folder_walk.c (listing).
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

enum rc folder_list(struct store *store, const char *prefix, const char *after,
	enum rc (*each)(void *context, const char *key, uint64_t size, struct fault *fault),
	void *context, struct fault *fault);
enum rc folder_last(struct store *store, const char *prefix, struct buf *key, struct fault *fault);

#endif
