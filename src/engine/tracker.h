/*
 * tracker.h
 *		Detections of successive frames joined into tracks.
 *
 * Time is the stream's, in microseconds.  The same calls give the same tracks.
 */
#ifndef CCTV_TRACKER_H
#define CCTV_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "attributes.h"
#include "geometry.h"

#define TRACKER_MAX_TRACKS 256

typedef struct TrackerSettings
{
	float high_confidence;	 /* a detection at or above starts a track */
	float low_confidence;	 /* a detection below is ignored */
	int confirm_hits;		 /* sightings that confirm a track */
	float median_confidence; /* of its newest 15 sightings, at least, too */
	int64_t lost_us;		 /* a confirmed track not found for this long ends,
									 * a stationary one after three times as long */
	int64_t stationary_us;	 /* a box in place this long is stationary */
} TrackerSettings;

/* One detection of one frame, as the tracker wants it. */
typedef struct TrackerInput
{
	Box box;
	float confidence;
	int label;			/* a track keeps the one it was confirmed with */
	int model;			/* index of the camera's model that saw it */
	bool exact;			/* no sighting of another label can be the same thing */
	int64_t min_age_us; /* a track is confirmed no sooner after its first sighting */
	Attributes attributes;
} TrackerInput;

typedef enum TrackState
{
	TRACK_TENTATIVE,
	TRACK_CONFIRMED,
	TRACK_LOST
} TrackState;

typedef struct Track
{
	int id; /* 1, 2, 3 ... in order of confirmation; 0 while tentative */
	TrackState state;
	bool seen;			/* matched in the newest frame */
	bool confirmed_now; /* this frame confirmed it */
	bool stationary;
	int label;
	int model;
	int hits;		  /* sightings at high confidence */
	float confidence; /* of the newest sighting */
	float best_confidence;
	Box box;	   /* measured in the newest frame it was seen in */
	Box speed;	   /* of its coordinates, per second, as believed there */
	Box predicted; /* where it is thought to be in the newest frame */
	int64_t first_us;
	int64_t last_us;	   /* last sighting, of whatever confidence */
	Attributes attributes; /* of the newest sighting */
} Track;

typedef struct Tracker Tracker;

extern void tracker_default_settings(TrackerSettings *settings);
extern Tracker *tracker_create(const TrackerSettings *settings); /* NULL: out of memory */
extern void tracker_free(Tracker *tracker);
extern void tracker_configure(Tracker *tracker, const TrackerSettings *settings);

/*
 * Advance to the frame at at_us with what was detected in it.  Detections
 * outside looked_at (nregions > 0) were not searched for: a track whose box
 * lies outside every region is not counted as missed.
 */
extern void tracker_update(Tracker *tracker, int64_t at_us, const TrackerInput *inputs, int ninputs,
						   const Box *looked_at, int nregions);

/*
 * Advance without a look: time passes, nothing is missed.  Confirmed tracks
 * that were due and moving keep their due state.
 */
extern void tracker_idle(Tracker *tracker, int64_t at_us);

/* Tracks now alive, tentative ones included; valid until the next update. */
extern int tracker_tracks(const Tracker *tracker, const Track **tracks);

/* Confirmed tracks that the last update (or tracker_end_all) ended. */
extern int tracker_ended(const Tracker *tracker, const Track **tracks);

/* End every track, as when the stream is lost. */
extern void tracker_end_all(Tracker *tracker, int64_t at_us);

/*
 * Should this frame be searched although nothing moves: a tentative, lost or
 * moving track, or a stationary one not verified for recheck_us.
 */
extern bool tracker_due(const Tracker *tracker, int64_t at_us, int64_t recheck_us);

#endif /* CCTV_TRACKER_H */
