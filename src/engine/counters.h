/*
 * counters.h
 *		What a camera has done so far; added to by several threads.
 */
#ifndef CCTV_COUNTERS_H
#define CCTV_COUNTERS_H

#include <stdatomic.h>

typedef struct Counters
{
	atomic_uint session;		/* how often they began from zero */
	atomic_ullong packets;		/* of the video stream */
	atomic_ullong frames;		/* decoded */
	atomic_ullong analysed;		/* sampled, and looked at for motion at least */
	atomic_ullong skipped;		/* wanted inference, but a newer frame took the place */
	atomic_ullong inferences;	/* frames searched for objects */
	atomic_ullong inference_us; /* spent in that */
	atomic_ullong wakes;		/* from watching keyframes, by an alarm */
	atomic_ullong watching_us;	/* of stream time, keyframes only; */
	atomic_ullong decoding_us;	/* of stream time, every frame */
	atomic_llong last_frame_us; /* time of the newest frame, 0: none */
} Counters;

/* All of them from zero, but for last_frame_us.  The session tells when that is done. */
static inline void
counters_begin_session(Counters *counters)
{
	counters->packets = 0;
	counters->frames = 0;
	counters->analysed = 0;
	counters->skipped = 0;
	counters->inferences = 0;
	counters->inference_us = 0;
	counters->wakes = 0;
	counters->watching_us = 0;
	counters->decoding_us = 0;
	counters->session++;
}

#endif /* CCTV_COUNTERS_H */
