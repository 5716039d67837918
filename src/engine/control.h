/*
 * control.h
 *		The control thread: desired states in, heartbeats out, and an orderly end.
 */
#ifndef CCTV_CONTROL_H
#define CCTV_CONTROL_H

#include <signal.h>
#include <stdbool.h>

#include "desired_state.h"
#include "event_queue.h"
#include "state_reader.h"

typedef struct ControlOptions
{
	int event_fd;		  /* where event lines go */
	int request_fd;		  /* a listening socket for requests, -1: none */
	sigset_t end_signals; /* these end the engine in order; the caller has blocked them */
	bool until_ended;	  /* end once every camera's file has */
	bool one_attempt;	  /* end, with status 1, as soon as a camera meets a failure */
	bool any_file;		  /* files need not lie in source_paths */
} ControlOptions;

/*
 * Run the engine from its first desired state to its end: a signal, the end of
 * input or of the last file.  Further states come from reader, if there is one.
 * Returns the exit status.
 */
extern int control_run(const ControlOptions *options, EventQueue *queue, StateReader *reader,
					   const DesiredState *first);

#endif /* CCTV_CONTROL_H */
