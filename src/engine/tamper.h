/*
 * tamper.h
 *		Has somebody meddled with the camera: is its view blocked, moved or out
 *		of focus?  Judged on the coarse grid of luma, by the stream's time.
 */
#ifndef CCTV_TAMPER_H
#define CCTV_TAMPER_H

#include <stdint.h>

#include "luma_grid.h"

typedef enum TamperState
{
	TAMPER_NONE,
	TAMPER_BLOCKED,	 /* there is hardly anything to see */
	TAMPER_MOVED,	 /* it shows another scene */
	TAMPER_DEFOCUSED /* the same scene without its edges */
} TamperState;

typedef struct Tamper Tamper;

/* Returns NULL when out of memory. */
extern Tamper *tamper_create(void);
extern void tamper_free(Tamper *tamper);

/*
 * Look at the grid of a frame.  The first ten seconds are taken for the view,
 * whatever they show.  A state holds from when the view has been so
 * for some seconds until it is well again, or, moved or out of focus, until it
 * has been so for ten minutes: then this is the view.  A change of the grid's
 * size and time that runs backwards forget everything.  Returns the state; when
 * memory is short, none.
 */
extern TamperState tamper_update(Tamper *tamper, const LumaGrid *grid, int64_t at_us);

/*
 * The stream was interrupted: no state holds, but the view is remembered, lest
 * the camera be turned in the meantime.
 */
extern void tamper_cut(Tamper *tamper);

/* As the objects of the model "scene" are labelled; of a state that is one. */
extern const char *tamper_label(TamperState state);

#endif /* CCTV_TAMPER_H */
