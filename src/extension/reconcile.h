/*
 * reconcile.h
 *		What should run: cameras assigned to engines, and a document for each.
 */
#ifndef CCTV_RECONCILE_H
#define CCTV_RECONCILE_H

#include "action.h"

typedef struct CctvDesiredEngine
{
	int number; /* 1, 2, ... as cctv.assign_engines() has it */
	int ncameras;
	int32 *cameras;
	char *document; /* the desired state, UTF-8, without a newline */
} CctvDesiredEngine;

/* In the memory context of the caller of cctv_read_desired(). */
typedef struct CctvDesired
{
	int ncameras;
	int nengines;
	CctvDesiredEngine *engines;
	int next_look_ms; /* from now until a schedule wants another look; -1: none does */
} CctvDesired;

/* spare: one engine at least, for requests, even if no camera needs it. */
extern CctvOutcome cctv_read_desired(CctvDesired *desired, bool spare, CctvFailure *failure);

/* Passwords are in the documents: leave none in memory. */
extern void cctv_erase_desired(CctvDesired *desired);

#endif /* CCTV_RECONCILE_H */
