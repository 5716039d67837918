/*
 * camera_stats.h
 *		What a camera tells every two seconds: rates since the last time, totals,
 *		and what its picture is.
 *
 * One thread reports; another may note the picture.
 */
#ifndef CCTV_CAMERA_STATS_H
#define CCTV_CAMERA_STATS_H

#include <pthread.h>

#include "counters.h"
#include "event.h"

#define CAMERA_DECODING_NOTE 128

typedef struct CameraStats
{
	pthread_mutex_t lock; /* for the picture: */
	int width;
	int height;
	char codec[32];
	bool watching; /* keyframes only */
	char note[CAMERA_DECODING_NOTE];
	int64_t key_interval_us;

	/* The counters as they were told last, and when (monotonic). */
	int64_t told_us;
	unsigned session;
	uint64_t packets;
	uint64_t frames;
	uint64_t analysed;
	uint64_t inferences;
	uint64_t inference_us;
} CameraStats;

extern void camera_stats_init(CameraStats *stats);
extern void camera_stats_destroy(CameraStats *stats);
extern void camera_stats_picture(CameraStats *stats, int width, int height, const char *codec);

/*
 * Are only keyframes decoded; if not although they should be, why; and how far
 * apart they are (0: not known).
 */
extern void camera_stats_decoding(CameraStats *stats, bool watching, const char *note,
								  int64_t key_interval_us);

/* Tell the counters of the session, which may have begun anew, at this stream time. */
extern void camera_stats_tell(CameraStats *stats, const Counters *counters, int reconnects,
							  const char *runtime, const EventPublish *publish, EventStream *events,
							  int64_t at_us);

#endif /* CCTV_CAMERA_STATS_H */
