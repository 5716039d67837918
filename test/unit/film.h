/* A film for the tracker: frames of detections made by hand. */
#ifndef TEST_FILM_H
#define TEST_FILM_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tracker.h"

#define STEP_US 200000 /* five looks a second */
#define PERSON 0
#define CAR 2
#define LORRY 5

/* A tracker, and the frame being put together for it. */
typedef struct Film
{
	Tracker *tracker;
	int64_t at_us;
	int ninputs;
	TrackerInput inputs[300];
} Film;

static inline int
setup(void **state)
{
	TrackerSettings settings;
	Film *film = calloc(1, sizeof(*film));

	tracker_default_settings(&settings);
	film->tracker = tracker_create(&settings);
	*state = film;
	return film->tracker == NULL ? -1 : 0;
}

static inline int
teardown(void **state)
{
	Film *film = *state;

	tracker_free(film->tracker);
	free(film);
	return 0;
}

static inline void
put(Film *film, float x, float y, float w, float h, float confidence, int label)
{
	TrackerInput input = {.box = {x, y, w, h}, .confidence = confidence, .label = label};

	film->inputs[film->ninputs++] = input;
}

/* A pedestrian as in a street scene: a twentieth of the frame wide. */
static inline void
put_person(Film *film, float x, float y)
{
	put(film, x, y, 0.05f, 0.16f, 0.8f, PERSON);
}

/* End the frame. */
static inline void
look_at(Film *film, const Box *regions, int nregions)
{
	tracker_update(film->tracker, film->at_us, film->inputs, film->ninputs, regions, nregions);
	film->ninputs = 0;
	film->at_us += STEP_US;
}

static inline void
look(Film *film)
{
	look_at(film, NULL, 0);
}

static inline const Track *
find(const Film *film, int id)
{
	const Track *tracks;
	int n = tracker_tracks(film->tracker, &tracks);

	for (int i = 0; i < n; i++)
		if (tracks[i].id == id)
			return &tracks[i];
	return NULL;
}

static inline int
count(const Film *film)
{
	const Track *tracks;

	return tracker_tracks(film->tracker, &tracks);
}

static inline int
ended(const Film *film, const Track **tracks)
{
	return tracker_ended(film->tracker, tracks);
}

/* Let a person stand still until its track is confirmed, as the next id. */
static inline void
confirm_person(Film *film, float x, float y, int id)
{
	for (int i = 0; i < 3; i++)
	{
		assert_null(find(film, id));
		put_person(film, x, y);
		look(film);
	}
	assert_non_null(find(film, id));
	assert_true(find(film, id)->confirmed_now);
}

#define FILM_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif /* TEST_FILM_H */
