/*
 * model_cache.h
 *		The engine's loaded models: those of its cameras, and for a while those
 *		that requests have used.
 *
 * Any thread may call.
 */
#ifndef CCTV_MODEL_CACHE_H
#define CCTV_MODEL_CACHE_H

#include "model.h"

typedef struct ModelCache ModelCache;

extern ModelCache *model_cache_create(void); /* NULL: out of memory */
extern void model_cache_free(ModelCache *cache);

/*
 * The model that config describes, whoever else uses it, or a new one (not yet
 * loaded).  The caller has a reference.  NULL when out of memory.
 */
extern Model *model_cache_get(ModelCache *cache, ModelConfig *config);

/*
 * Forget models that nobody has used for a minute, and let those at rest give
 * back memory (detector_trim); to be called every few seconds, by one thread at
 * a time.  It may take as long as a search.
 */
extern void model_cache_sweep(ModelCache *cache);

#endif /* CCTV_MODEL_CACHE_H */
