/*
 * camera_internal.h
 *		What the parts of a running camera share: camera.c, its thread and its
 *		states; camera_stream.c, its connection; camera_pictures.c, its pictures;
 *		camera_idle.c, when it has none.
 */
#ifndef CCTV_CAMERA_INTERNAL_H
#define CCTV_CAMERA_INTERNAL_H

#include <pthread.h>

#include "analysis.h"
#include "backoff.h"
#include "camera.h"
#include "camera_idle.h"
#include "camera_stats.h"
#include "counters.h"
#include "decode.h"
#include "main_stream.h"
#include "publisher.h"
#include "sampler.h"
#include "source.h"
#include "timeline.h"

#define CAMERA_REASON 384

struct Camera
{
	CameraWorld *world;
	int id;
	bool file;
	bool unpaced;
	EventStream *events;
	Analysis *analysis;
	Live *live;
	Recording *recording; /* NULL: nothing is ever recorded */
	Publisher *publisher; /* NULL: nothing is ever published */
	Counters counters;
	pthread_t thread;
	atomic_bool stop;
	atomic_bool announce;
	atomic_bool done;
	atomic_uint beats; /* grows with every packet: the thread gets on */
	_Atomic CameraState state;
	atomic_int reconnects;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	CameraPlan *wanted;	   /* the newest plan */
	atomic_bool replanned; /* wanted has changed */

	/* Whoever reports: the thread of an unpaced file, else the control thread. */
	CameraStats stats;

	/* The control thread only: its last look at the camera's thread. */
	unsigned seen_beats;
	int64_t seen_at_us;	 /* monotonic */
	int64_t seen_cpu_us; /* of that thread's processor time */
	int64_t stuck_us;	 /* processor time since its last packet, as far as seen */

	/* The camera's thread only. */
	CameraPlan *plan;
	char message[CAMERA_REASON]; /* that went with the state */
	Backoff backoff;
	int second_chances; /* attempts that come soon although the cause looks lasting */
	Timeline timeline;
	Sampler sampler;
	Source *source;
	Decoder *decoder;
	MainStream *main_stream; /* what is recorded, when it is not what is analysed */
	CameraIdle idle;
	int64_t arrived_us; /* wall clock: of the packet that is decoded */
	bool blind;			/* packets have not been decoded: nobody wanted pictures */
	AVPacket *packet;
	AVFrame *frame;
	bool fresh_session;		  /* no frame yet */
	int64_t start_us;		  /* of a file */
	int64_t last_frame_us;	  /* monotonic; of the opening until there is one */
	int64_t running_since_us; /* monotonic */
	int64_t pace_us;		  /* monotonic clock minus stream time, 0: not set */
	int64_t stats_us;		  /* stream time of an unpaced file's last stats */
};

/* ---- camera.c ---- */

/* Until then (monotonic), or until there is a stop or a new plan to follow. */
extern void camera_pause_until(Camera *camera, int64_t deadline_us);

/* Stream time: of the last frame of a file, else the server's clock. */
extern int64_t camera_stream_now(const Camera *camera);

/* Tell the state if it, or the reason for it, has changed. */
extern void camera_set_state(Camera *camera, CameraState state, const char *message);

/* Tell how the camera does. */
extern void camera_report(Camera *camera, int64_t at_us);

/* Take over a plan that the control thread has left. */
extern void camera_replan(Camera *camera);

/* Is the stream that is read here the one that is recorded? */
extern bool camera_records_itself(const Camera *camera);

/* ---- camera_stream.c ---- */

/* One attempt: open the stream and stay with it as long as it lasts. */
extern SourceResult camera_play(Camera *camera, char reason[CAMERA_REASON]);

/* ---- camera_pictures.c ---- */

/* Record a packet of the stream, decode it, or both. */
extern void camera_take_packet(Camera *camera, AVPacket *packet);

/* Decode one packet (NULL: the end) and take what comes out. */
extern void camera_decode(Camera *camera, const AVPacket *packet);

/* Take the frame that has been decoded; it is unreferenced by the caller. */
extern void camera_take_frame(Camera *camera, int64_t pts_us);

/* A packet need not be decoded, but it has come: its picture is of at_us. */
extern void camera_pass_packet(Camera *camera, int64_t at_us);

/* A file in real time: wait for the moment its frame is due. */
extern void camera_keep_pace(Camera *camera, int64_t at_us);

/* Does anybody look for something in the pictures? */
extern bool camera_looks(const Camera *camera);

/* The scene is cut: no more motion. */
extern void camera_cut(Camera *camera, bool renumber);

#endif /* CCTV_CAMERA_INTERNAL_H */
