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

/* Forget models that nobody has used for a minute; to be called now and then. */
extern void model_cache_sweep(ModelCache *cache);

#endif /* CCTV_MODEL_CACHE_H */
