/*
 * frame_search.h
 *		One frame searched with every model of a camera.
 */
#ifndef CCTV_FRAME_SEARCH_H
#define CCTV_FRAME_SEARCH_H

#include "attention.h"
#include "camera_plan.h"
#include "detector.h"
#include "motion.h"
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
	unsigned turn;		 /* who comes first when there are too many */
	Attention attention;
} SearchMemory;

/* What was found, as the tracker takes it. */
typedef struct Findings
{
	int ninputs;
	TrackerInput inputs[SEARCH_MAX_INPUTS];
	bool part; /* of the frame was searched, the region; or else all */
	Box region;
	double inference_ms;
	bool failed;	  /* no model could look */
	char reason[256]; /* why a model could not, "" if all could */
} Findings;

/* Nothing was searched yet. */
extern void search_memory_reset(SearchMemory *memory);

/*
 * Run the plan's models, each once: on the whole frame, or on the part of it
 * that is most worth a look; those that look within objects of others after
 * these.  Keeps what the camera asks for.
 */
extern void frame_search(const CameraPlan *plan, const SearchFrame *frame, SearchMemory *memory,
						 Workspace *workspace, Findings *found);

/* Does a model want a look by now, though nothing moves? */
extern bool frame_search_due(const CameraPlan *plan, const SearchMemory *memory, int64_t at_us);

#endif /* CCTV_FRAME_SEARCH_H */
