/*
 * keyframe_watch.h
 *		Has something come into the scene since the keyframe before?  Judged on
 *		keyframes alone, which come a second or two apart.
 *
 * It is to notice what is small, as somebody then decodes the past and looks
 * closely: a wrong alarm costs a few seconds of decoding, an alarm that is
 * missing costs the event.  The same frames give the same alarms.
 */
#ifndef CCTV_KEYFRAME_WATCH_H
#define CCTV_KEYFRAME_WATCH_H

#include <stdbool.h>

#include <libavutil/frame.h>

#include "polygon.h"

typedef struct KeyframeWatch KeyframeWatch;

/* What is known of a keyframe that is looked at. */
typedef enum KeyframeScene
{
	KEYFRAME_UNKNOWN, /* nothing: is there anything in it? */
	KEYFRAME_BUSY,	  /* something moves in it: what is ordinary is not learnt */
	KEYFRAME_CALM,	  /* nothing does, whatever it looks like: what is ordinary is learnt, */
	KEYFRAME_SETTLED  /* and what is new in it has come to stay: it is the background */
} KeyframeScene;

/* Returns NULL when out of memory. */
extern KeyframeWatch *keyframe_watch_create(void);
extern void keyframe_watch_free(KeyframeWatch *watch);

/*
 * Nothing is seen in these parts: in the cells whose centres lie in one.  The
 * list outlives the watch or the next call.
 */
extern void keyframe_watch_set_masks(KeyframeWatch *watch, const PolygonList *masks);

/*
 * Look at a keyframe (luma of 8 bits, or the upper 8 of more; of RGB the green
 * component), and learn from it.  A change of its size forgets everything.
 * *alarm tells whether something has come; only of a frame that is UNKNOWN, and
 * never before the watch is ready.  Returns 0, or -1 when out of memory or the
 * format has no luma.
 */
extern int keyframe_watch_look(KeyframeWatch *watch, const AVFrame *frame, KeyframeScene scene,
							   bool *alarm);

/* Has it seen enough to tell what is new? */
extern bool keyframe_watch_ready(const KeyframeWatch *watch);

/*
 * There was something in what the last alarm was for, or there was nothing: then
 * it takes more, there and, where nothing keeps coming, everywhere.
 */
extern void keyframe_watch_confirm(KeyframeWatch *watch, bool right);

#endif /* CCTV_KEYFRAME_WATCH_H */
