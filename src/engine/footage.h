/*
 * footage.h
 *		Recordings of one camera that cover a stretch of time, and what is made of
 *		them: a clip, which copies, or a time-lapse, which encodes.
 */
#ifndef CCTV_FOOTAGE_H
#define CCTV_FOOTAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "export_file.h"
#include "media_path.h"
#include "polygon.h"

/* A week of segments of the shortest length that anybody should choose. */
#define FOOTAGE_MAX_SEGMENTS 200000

typedef struct FootageSegment
{
	int64_t started_us; /* when the file's time 0 was, since the Unix epoch */
	int64_t ended_us;	/* how far it goes, as far as is known */
	char path[MEDIA_PATH];
} FootageSegment;

typedef struct Footage
{
	const char *media_dir;
	int camera_id;
	const char *camera; /* what it is called on pictures */
	int64_t from_us;	/* what is wanted, since the Unix epoch */
	int64_t upto_us;
	const FootageSegment *segments; /* by started_us */
	int count;
} Footage;

typedef enum ExportPhase
{
	EXPORT_WAITING,
	EXPORT_READING,
	EXPORT_FINISHING
} ExportPhase;

/* How far an export has come; written by the one who works, read by others. */
typedef struct ExportProgress
{
	atomic_int phase;
	atomic_llong segments;
	atomic_llong bytes; /* of footage that were read */
	atomic_llong frames;
} ExportProgress;

/* Time for which there is no footage, and where it is left out. */
typedef struct ExportGap
{
	int64_t from_us;
	int64_t upto_us;
	int64_t position_us; /* in the file */
	const char *why;	 /* static */
} ExportGap;

#define EXPORT_MAX_GAPS 4000
#define EXPORT_MAX_FILES 256

/* One file that was made. */
typedef struct ExportPart
{
	ExportFileSummary file;
	int64_t started_us;
	int64_t ended_us;
	char codec[32];
	int width;
	int height;
	int first_gap; /* index of the first one of it */
} ExportPart;

typedef struct ExportResult
{
	ExportPart *parts;
	int nparts;
	ExportGap *gaps; /* all of them, the parts' one after another */
	int ngaps;
	int gaps_left_out;	/* beyond EXPORT_MAX_GAPS */
	int64_t missing_us; /* of all gaps together */
	char reason[256];	/* why it failed */
} ExportResult;

typedef struct TimeLapse
{
	int64_t interval_us; /* a frame is taken this often */
	int fps;			 /* at which they play */
	int max_width;
	bool annotated; /* camera and time are written into the corner */
	const PolygonList *privacy;
} TimeLapse;

/*
 * Copy what was recorded into one MP4, or one for each stretch of the same codec
 * and picture size.  It begins at the last keyframe that is not after from_us.
 * Returns 0, or a negative errno value with a reason: ECANCELED when *cancelled
 * became true, ENODATA when nothing was recorded, else it could not be written.
 * Whatever is returned, the result is for export_result_free(); files remain
 * only after 0.
 */
extern int clip_make(const Footage *footage, const atomic_bool *cancelled, ExportProgress *progress,
					 ExportResult *result);

/*
 * Encode one frame for each interval as H.264, in one file for each picture size.
 * Otherwise as above.
 */
extern int time_lapse_make(const Footage *footage, const TimeLapse *settings,
						   const atomic_bool *cancelled, ExportProgress *progress,
						   ExportResult *result);

/* A stretch without footage; what does not fit is counted.  Returns 0 or -ENOMEM. */
extern int export_result_gap(ExportResult *result, const ExportGap *gap);

/* Room for one more part; NULL when there are too many or memory is short. */
extern ExportPart *export_result_part(ExportResult *result);

/* Remove the files that were made. */
extern void export_result_discard(ExportResult *result, const char *media_dir);
extern void export_result_free(ExportResult *result);

#endif /* CCTV_FOOTAGE_H */
