/*
 * camera_idle.h
 *		A camera on which nothing happens: only the keyframes of its stream are
 *		decoded and watched; when something comes the recent past is decoded from
 *		the packet ring, at once.
 *
 * idle_gate.h decides, keyframe_watch.h and a motion.h of its own look; this is
 * what ties them to the camera's decoder and ring.  The camera's thread only.
 */
#ifndef CCTV_CAMERA_IDLE_H
#define CCTV_CAMERA_IDLE_H

#include "camera.h"
#include "idle_gate.h"
#include "keyframe_watch.h"
#include "motion.h"
#include "packet_ring.h"

typedef struct CameraIdle
{
	IdleGate gate;

	/* Only while keyframes are wanted, or still watched. */
	KeyframeWatch *watch; /* NULL: they are not */
	Motion *motion;		  /* sees keyframes only */
	bool calibrated;	  /* it knows the background, */
	bool moved;			  /* had a part in the last alarm, */
	int64_t distrust_us;  /* and counts for nothing up to here (gate's time) */
	PacketRing *ring;	  /* the recorder's, or own */
	bool own_ring;		  /* of a stream that nobody records */
	RingPacket packet;
	uint64_t key;		   /* number of the last keyframe taken; 0: none */
	bool settle;		   /* the next keyframe is the background */
	int64_t fed_us;		   /* of the last keyframe seen */
	bool replaying;		   /* what is decoded is the past */
	int64_t wait_until_us; /* monotonic: how long a replay waits for inference */

	/* As it was told last. */
	bool told_watching;
	GateProblem told_problem;
	int64_t told_interval_us;
} CameraIdle;

extern void camera_idle_init(Camera *camera);
extern void camera_idle_free(Camera *camera);

/* A connection has been made.  Returns false when out of memory. */
extern bool camera_idle_connect(Camera *camera);

/* Do what the plan says, from the next packet on. */
extern void camera_idle_follow(Camera *camera);

/* Take a packet of the video whose picture is wanted: decode it, or see that it need not be. */
extern void camera_idle_packet(Camera *camera, const AVPacket *packet);

/* A frame has been taken, of whatever was decoded. */
extern void camera_idle_frame(Camera *camera, const AVFrame *frame, int64_t at_us);

/* The stream has ended: decode what is left. */
extern void camera_idle_end(Camera *camera);

#endif /* CCTV_CAMERA_IDLE_H */
