/*
 * probe_trial.h
 *		One attempt: does this URL stream, and what?
 */
#ifndef CCTV_PROBE_TRIAL_H
#define CCTV_PROBE_TRIAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "desired_state.h"

#define TRIAL_REASON 256

typedef struct Trial
{
	bool streams;
	char codec[32];
	int width;
	int height;
	double fps; /* 0: unknown, or a still */
	char reason[TRIAL_REASON];
} Trial;

/* Who asks, and for how long. */
typedef struct TrialTerms
{
	const char *username; /* NULL: none */
	const char *password;
	const StringList *source_paths; /* NULL: any file */
	const atomic_bool *stop;
	int64_t deadline_us;
} TrialTerms;

/* Open a stream, decode its first picture, and measure its rate if it says none. */
extern void trial_stream(const char *url, const TrialTerms *terms, Trial *trial);

/* Fetch one picture by HTTP. */
extern void trial_still(const char *url, const TrialTerms *terms, Trial *trial);

/* Does anybody listen at the URL's host and port?  trial->streams says so. */
extern void trial_knock(const char *url, const TrialTerms *terms, Trial *trial);

/* Did the server ask for a user name and password, or refuse those it was given? */
extern bool trial_was_denied(const Trial *trial);

/* Did nothing at all come back? */
extern bool trial_timed_out(const Trial *trial);

#endif /* CCTV_PROBE_TRIAL_H */
