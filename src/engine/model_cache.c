/*
 * model_cache.c
 *		The engine's loaded models: those of its cameras, and for a while those
 *		that requests have used.
 */
#include "model_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* A model that nobody uses stays this long, should another request come. */
#define KEEP_US (60 * CLOCK_SECOND)

/* Unused models; each is tens of megabytes. */
#define MAX_UNUSED 4

typedef struct Entry
{
	Model *model;
	int64_t used_us; /* when it was last asked for, or seen in use */
} Entry;

struct ModelCache
{
	pthread_mutex_t lock;
	Entry *entries;
	int nentries;
};

ModelCache *
model_cache_create(void)
{
	ModelCache *cache = calloc(1, sizeof(*cache));

	if (cache != NULL)
		pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

void
model_cache_free(ModelCache *cache)
{
	if (cache == NULL)
		return;
	for (int i = 0; i < cache->nentries; i++)
		model_unref(cache->entries[i].model);
	free(cache->entries);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

/* Forget an entry; its model, to be let go once the lock is released. */
static Model *
take_out(ModelCache *cache, int index)
{
	Model *model = cache->entries[index].model;

	cache->entries[index] = cache->entries[--cache->nentries];
	return model;
}

/* An unused model that is to go: too old, or the oldest of too many. */
static Model *
find_superfluous(ModelCache *cache, int64_t now)
{
	int oldest = -1;
	int unused = 0;

	for (int i = 0; i < cache->nentries; i++)
	{
		Entry *entry = &cache->entries[i];

		/* Another reference can only be had from here, or from one there is. */
		if (model_is_shared(entry->model))
			entry->used_us = now;
		else
		{
			unused++;
			if (oldest < 0 || entry->used_us < cache->entries[oldest].used_us)
				oldest = i;
		}
	}
	if (oldest >= 0 && (unused > MAX_UNUSED || now - cache->entries[oldest].used_us >= KEEP_US))
		return take_out(cache, oldest);
	return NULL;
}

/* A reference to the index-th model; NULL behind the last. */
static Model *
nth_model(ModelCache *cache, int index)
{
	Model *model = NULL;

	pthread_mutex_lock(&cache->lock);
	if (index < cache->nentries)
		model = model_ref(cache->entries[index].model);
	pthread_mutex_unlock(&cache->lock);
	return model;
}

/* Without the lock, as it takes a while: a model missed is trimmed the next time. */
static void
trim(ModelCache *cache)
{
	Model *model;

	for (int i = 0; (model = nth_model(cache, i)) != NULL; i++)
	{
		model_trim(model);
		model_unref(model);
	}
}

void
model_cache_sweep(ModelCache *cache)
{
	Model *model;

	do
	{
		pthread_mutex_lock(&cache->lock);
		model = find_superfluous(cache, clock_monotonic_us());
		pthread_mutex_unlock(&cache->lock);
		/* Unloading takes a while. */
		model_unref(model);
	} while (model != NULL);
	trim(cache);
}

/* With the lock held. */
static Model *
find_or_add(ModelCache *cache, ModelConfig *config)
{
	Model *model;
	Entry *grown;

	for (int i = 0; i < cache->nentries; i++)
	{
		if (model_config_equal(model_config(cache->entries[i].model), config))
		{
			cache->entries[i].used_us = clock_monotonic_us();
			return model_ref(cache->entries[i].model);
		}
	}
	grown = realloc(cache->entries, (cache->nentries + 1) * sizeof(*grown));
	if (grown == NULL)
		return NULL;
	cache->entries = grown;
	model = model_create(config);
	if (model == NULL)
		return NULL;
	grown[cache->nentries++] = (Entry){model, clock_monotonic_us()};
	return model_ref(model);
}

Model *
model_cache_get(ModelCache *cache, ModelConfig *config)
{
	Model *model;

	pthread_mutex_lock(&cache->lock);
	model = find_or_add(cache, config);
	pthread_mutex_unlock(&cache->lock);
	return model;
}
