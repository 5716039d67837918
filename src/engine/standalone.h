/*
 * standalone.h
 *		The desired state of an engine that somebody runs by hand.
 */
#ifndef CCTV_STANDALONE_H
#define CCTV_STANDALONE_H

#include "desired_state.h"

/* The command line, as far as it describes what to do. */
typedef struct StandaloneOptions
{
	const char *url;	/* of the first camera */
	const char *config; /* a file, "-" for standard input, or the JSON itself */
	const char *models_dir;
	const char *media_dir;
	const char *log_level;
	bool once; /* files as fast as possible, then end */
	bool sandbox;
} StandaloneOptions;

/*
 * Put the options together with the document they name: a desired state
 * (docs/protocol.md), all of which may be missing, or just one camera's fields.
 * Defaults are those of cctv.cameras.  Returns NULL with a reason when no sense is in it.
 */
extern DesiredState *standalone_state(const StandaloneOptions *options, char *reason,
									  size_t reason_size);

#endif /* CCTV_STANDALONE_H */
