/*
 * frame_search.h
 *		One frame searched with every model of a camera.
 */
#ifndef CCTV_FRAME_SEARCH_H
#define CCTV_FRAME_SEARCH_H

#include "camera_plan.h"
#include "detector.h"
#include "motion.h"
#include "region.h"
#include "tracker.h"

#define SEARCH_MAX_INPUTS 512

/* A frame to search, what moves in it, and what is tracked. */
typedef struct SearchFrame
{
	const AVFrame *frame;
	int64_t at_us;
	bool whole; /* nothing is known of what moves: search all of it */
	const Box *clusters;
	int nclusters;
	const Track *tracks;
	int ntracks;
} SearchFrame;

/* What one search leaves for the next of the same camera. */
typedef struct SearchMemory
{
	int64_t searched_us; /* INT64_MIN: never */
	int64_t whole_us;	 /* when the whole frame was last searched */
	unsigned turn;		 /* who comes first when there are too many */
} SearchMemory;

/* What was found, as the tracker takes it. */
typedef struct Findings
{
	int ninputs;
	TrackerInput inputs[SEARCH_MAX_INPUTS];
	int nregions; /* 0: all of the frame was searched */
	Box regions[REGION_MAX];
	double inference_ms;
	bool failed;	  /* no model could look */
	char reason[256]; /* why a model could not, "" if all could */
} Findings;

#define SEARCH_MEMORY_EMPTY ((SearchMemory){.searched_us = INT64_MIN, .whole_us = INT64_MIN})

/*
 * Run the plan's models: around what moves and is tracked, or everywhere; those
 * that look within objects of others after these.  Keeps what the camera asks
 * for.
 */
extern void frame_search(const CameraPlan *plan, const SearchFrame *frame, SearchMemory *memory,
						 Workspace *workspace, Findings *found);

/* Does a model want a look by now, though nothing moves? */
extern bool frame_search_due(const CameraPlan *plan, const SearchMemory *memory, int64_t at_us);

#endif /* CCTV_FRAME_SEARCH_H */
