/* Tracks, from detections made by hand. */
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

static int
setup(void **state)
{
	TrackerSettings settings;
	Film *film = calloc(1, sizeof(*film));

	tracker_default_settings(&settings);
	film->tracker = tracker_create(&settings);
	*state = film;
	return film->tracker == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	Film *film = *state;

	tracker_free(film->tracker);
	free(film);
	return 0;
}

static void
put(Film *film, float x, float y, float w, float h, float confidence, int label)
{
	TrackerInput input = {.box = {x, y, w, h}, .confidence = confidence, .label = label};

	film->inputs[film->ninputs++] = input;
}

/* A pedestrian as in a street scene: a twentieth of the frame wide. */
static void
put_person(Film *film, float x, float y)
{
	put(film, x, y, 0.05f, 0.16f, 0.8f, PERSON);
}

/* End the frame. */
static void
look_at(Film *film, const Box *regions, int nregions)
{
	tracker_update(film->tracker, film->at_us, film->inputs, film->ninputs, regions, nregions);
	film->ninputs = 0;
	film->at_us += STEP_US;
}

static void
look(Film *film)
{
	look_at(film, NULL, 0);
}

static const Track *
find(const Film *film, int id)
{
	const Track *tracks;
	int n = tracker_tracks(film->tracker, &tracks);

	for (int i = 0; i < n; i++)
		if (tracks[i].id == id)
			return &tracks[i];
	return NULL;
}

static int
count(const Film *film)
{
	const Track *tracks;

	return tracker_tracks(film->tracker, &tracks);
}

static int
ended(const Film *film, const Track **tracks)
{
	return tracker_ended(film->tracker, tracks);
}

/* Let a person stand still until its track is confirmed, as the next id. */
static void
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

static void
three_sightings_confirm(void **state)
{
	Film *film = *state;
	const Track *track;

	confirm_person(film, 0.3f, 0.3f, 1);
	track = find(film, 1);
	assert_int_equal(track->state, TRACK_CONFIRMED);
	assert_int_equal(track->hits, 3);
	assert_int_equal(track->first_us, 0);
	assert_int_equal(track->last_us, 2 * STEP_US);
	put_person(film, 0.3f, 0.3f);
	look(film);
	assert_false(find(film, 1)->confirmed_now);
	assert_true(find(film, 1)->seen);
}

static void
a_single_false_alarm_is_forgotten(void **state)
{
	Film *film = *state;
	const Track *tracks;

	put_person(film, 0.3f, 0.3f);
	look(film);
	assert_int_equal(count(film), 1);
	look(film);
	look(film);
	assert_int_equal(count(film), 0);
	assert_int_equal(ended(film, &tracks), 0); /* it was never confirmed */
}

static void
doubtful_detections_start_nothing(void **state)
{
	Film *film = *state;

	for (int i = 0; i < 20; i++)
	{
		put(film, 0.3f, 0.3f, 0.05f, 0.16f, 0.45f, PERSON);
		look(film);
	}
	assert_int_equal(count(film), 0);
}

static void
doubtful_detections_continue_a_track(void **state)
{
	Film *film = *state;
	float x = 0.2f;

	confirm_person(film, x, 0.3f, 1);
	for (int i = 0; i < 30; i++, x += 0.01f)
	{
		put(film, x, 0.3f, 0.05f, 0.16f, 0.3f, PERSON);
		look(film);
		assert_true(find(film, 1)->seen);
		assert_float_equal(find(film, 1)->confidence, 0.3f, 1e-6f);
		assert_float_equal(find(film, 1)->best_confidence, 0.8f, 1e-6f);
	}
	/* What is below even that is not there. */
	put(film, x, 0.3f, 0.05f, 0.16f, 0.1f, PERSON);
	look(film);
	assert_false(find(film, 1)->seen);
	assert_int_equal(count(film), 1);
}

/* Half a width a step. */
static void
a_walker_keeps_one_track(void **state)
{
	Film *film = *state;
	float x = 0.02f;

	for (int i = 0; i < 35; i++, x += 0.025f)
	{
		put_person(film, x, 0.3f);
		look(film);
		assert_int_equal(count(film), 1);
	}
	assert_int_equal(find(film, 1)->hits, 35);
	assert_false(find(film, 1)->stationary);
}

static void
a_runner_keeps_one_track(void **state)
{
	Film *film = *state;
	float x = 0.02f;

	for (int i = 0; i < 12; i++, x += 0.07f)
	{
		put_person(film, x, 0.3f);
		look(film);
		assert_int_equal(count(film), 1);
	}
	assert_int_equal(find(film, 1)->hits, 12);
}

/* One who stood runs off: by a width and a half within one look. */
static void
a_dash_keeps_the_track(void **state)
{
	Film *film = *state;

	confirm_person(film, 0.3f, 0.3f, 1);
	put_person(film, 0.375f, 0.3f);
	look(film);
	assert_int_equal(count(film), 1);
	assert_true(find(film, 1)->seen);
}

static void
a_much_larger_box_is_somebody_else(void **state)
{
	Film *film = *state;

	confirm_person(film, 0.3f, 0.3f, 1);
	put(film, 0.26f, 0.22f, 0.13f, 0.32f, 0.8f, PERSON);
	look(film);
	assert_int_equal(count(film), 2);
	assert_false(find(film, 1)->seen);
}

/* Two people who pass each other, far enough apart in height to be told apart. */
static void
crossing_walkers_keep_their_tracks(void **state)
{
	Film *film = *state;

	for (int i = 0; i < 40; i++)
	{
		put_person(film, 0.02f + 0.022f * i, 0.30f);
		put_person(film, 0.90f - 0.022f * i, 0.34f);
		look(film);
	}
	assert_int_equal(count(film), 2);
	assert_float_equal(find(film, 1)->box.x, 0.02f + 0.022f * 39, 1e-5f);
	assert_float_equal(find(film, 2)->box.x, 0.90f - 0.022f * 39, 1e-5f);
}

/* One hides the other while they pass: both go on where they were going. */
static void
hidden_while_crossing(void **state)
{
	Film *film = *state;

	for (int i = 0; i < 40; i++)
	{
		float right = 0.02f + 0.022f * i;
		float left = 0.90f - 0.022f * i;

		put_person(film, right, 0.30f);
		if (left - right > 0.04f || right - left > 0.04f)
			put_person(film, left, 0.31f);
		look(film);
	}
	assert_int_equal(count(film), 2);
	assert_float_equal(find(film, 1)->box.x, 0.02f + 0.022f * 39, 1e-5f);
	assert_float_equal(find(film, 2)->box.x, 0.90f - 0.022f * 39, 1e-5f);
}

static void
a_gap_is_bridged(void **state)
{
	Film *film = *state;
	float x = 0.1f;

	for (int i = 0; i < 10; i++, x += 0.02f)
	{
		put_person(film, x, 0.3f);
		look(film);
	}
	/* Behind a post for over a second. */
	for (int i = 0; i < 6; i++, x += 0.02f)
	{
		look(film);
		assert_int_equal(find(film, 1)->state, TRACK_LOST);
		assert_false(find(film, 1)->seen);
	}
	put_person(film, x, 0.3f);
	look(film);
	assert_int_equal(count(film), 1);
	assert_int_equal(find(film, 1)->state, TRACK_CONFIRMED);
	assert_true(find(film, 1)->seen);
	assert_false(find(film, 1)->confirmed_now);
}

static void
a_lost_track_ends(void **state)
{
	Film *film = *state;
	const Track *tracks;
	int64_t last;
	int looks = 0;

	confirm_person(film, 0.3f, 0.3f, 1);
	last = find(film, 1)->last_us;
	while (ended(film, &tracks) == 0)
	{
		look(film);
		assert_true(++looks < 20);
	}
	assert_int_equal(ended(film, &tracks), 1);
	assert_int_equal(tracks[0].id, 1);
	assert_int_equal(tracks[0].last_us, last);
	assert_in_range(film->at_us - last, 3000000, 3600000);
	assert_int_equal(count(film), 0);
	look(film);
	assert_int_equal(ended(film, &tracks), 0); /* told once */
	/* Whoever comes then is somebody else. */
	confirm_person(film, 0.3f, 0.3f, 2);
}

static void
who_walks_out_is_gone_at_once(void **state)
{
	Film *film = *state;
	const Track *tracks;
	int64_t last;

	for (int i = 0; i < 12; i++)
	{
		put_person(film, 0.7f + 0.025f * i, 0.3f);
		look(film);
	}
	last = find(film, 1)->last_us;
	while (ended(film, &tracks) == 0)
		look(film);
	assert_true(film->at_us - last < 1500000);
}

/* So too when only the place where it was last seen is searched. */
static void
who_walks_out_of_a_region_is_gone(void **state)
{
	Film *film = *state;
	const Track *tracks;
	Box region = {0.7f, 0, 0.3f, 1};
	int64_t last;

	for (int i = 0; i < 11; i++)
	{
		put_person(film, 0.7f + 0.027f * i, 0.3f);
		film->inputs[0].box = box_clip(&film->inputs[0].box);
		look_at(film, &region, 1);
	}
	last = find(film, 1)->last_us;
	/* A jump in time carries the prediction far out of the frame. */
	film->at_us += 1000000;
	while (ended(film, &tracks) == 0)
	{
		look_at(film, &region, 1);
		assert_true(film->at_us - last < 4000000);
	}
}

static void
ids_follow_confirmation(void **state)
{
	Film *film = *state;

	/* The first seen is the second confirmed. */
	put_person(film, 0.1f, 0.3f);
	look(film);
	for (int i = 0; i < 3; i++)
	{
		put_person(film, 0.6f, 0.3f);
		if (i != 0)
			put_person(film, 0.1f, 0.3f);
		if (i == 1)
			film->inputs[1].confidence = 0.3f;
		look(film);
	}
	put_person(film, 0.1f, 0.3f);
	put_person(film, 0.6f, 0.3f);
	look(film);
	assert_float_equal(find(film, 1)->box.x, 0.6f, 1e-6f);
	assert_float_equal(find(film, 2)->box.x, 0.1f, 1e-6f);
	assert_int_equal(find(film, 2)->first_us, 0);
}

static void
a_stander_becomes_stationary_and_a_walker_not(void **state)
{
	Film *film = *state;
	int64_t since = 0;

	for (int i = 0; i < 50; i++)
	{
		/* Boxes of one who stands jitter by a tenth of his width. */
		float jitter = (i % 3 - 1) * 0.005f;

		put_person(film, 0.3f + jitter, 0.3f + jitter);
		look(film);
		if (find(film, 1) != NULL && find(film, 1)->stationary && since == 0)
			since = find(film, 1)->last_us;
	}
	assert_in_range(since, 4800000, 6000000);
	assert_true(find(film, 1)->stationary);

	/* One jump, as of a half hidden box, moves nobody; walking off does. */
	put_person(film, 0.35f, 0.3f);
	look(film);
	assert_true(find(film, 1)->stationary);
	put_person(film, 0.3f, 0.3f);
	look(film);
	assert_true(find(film, 1)->stationary);
	for (int i = 1; i < 8; i++)
	{
		put_person(film, 0.3f + 0.02f * i, 0.3f);
		look(film);
	}
	assert_int_equal(count(film), 1);
	assert_false(find(film, 1)->stationary);
}

static void
creeping_is_not_standing(void **state)
{
	Film *film = *state;

	/* A tenth of the width a second. */
	for (int i = 0; i < 150; i++)
	{
		put_person(film, 0.1f + 0.001f * i * 5, 0.3f);
		look(film);
		if (find(film, 1) != NULL)
			assert_false(find(film, 1)->stationary);
	}
}

static void
a_parked_car_outlasts_what_hides_it(void **state)
{
	Film *film = *state;

	for (int i = 0; i < 40; i++)
	{
		put(film, 0.5f, 0.5f, 0.2f, 0.15f, 0.7f, CAR);
		look(film);
	}
	assert_true(find(film, 1)->stationary);
	for (int i = 0; i < 25; i++)
		look(film);
	put(film, 0.5f, 0.5f, 0.2f, 0.15f, 0.7f, CAR);
	look(film);
	assert_int_equal(count(film), 1);
	assert_true(find(film, 1)->seen);
	assert_true(find(film, 1)->stationary);
}

static void
labels_do_not_mix(void **state)
{
	Film *film = *state;

	/* A person in front of a car. */
	for (int i = 0; i < 5; i++)
	{
		put(film, 0.4f, 0.4f, 0.3f, 0.2f, 0.8f, CAR);
		put_person(film, 0.5f, 0.42f);
		look(film);
	}
	assert_int_equal(count(film), 2);
	assert_int_equal(find(film, 1)->label, CAR);
	assert_int_equal(find(film, 2)->label, PERSON);
	/* The car alone does not become the person. */
	put(film, 0.4f, 0.4f, 0.3f, 0.2f, 0.8f, CAR);
	look(film);
	assert_true(find(film, 1)->seen);
	assert_false(find(film, 2)->seen);
}

/* A van that is a car in one frame and a lorry in the next is one object. */
static void
a_wavering_label_is_one_track(void **state)
{
	Film *film = *state;

	for (int i = 0; i < 20; i++)
	{
		put(film, 0.4f, 0.4f, 0.2f, 0.15f, 0.6f + 0.01f * (i % 2), i % 3 == 0 ? CAR : LORRY);
		look(film);
		assert_int_equal(count(film), 1);
	}
	assert_non_null(find(film, 1));
	assert_null(find(film, 2));
}

static void
two_boxes_on_one_person_are_one_track(void **state)
{
	Film *film = *state;

	for (int i = 0; i < 10; i++)
	{
		put_person(film, 0.3f + 0.01f * i, 0.3f);
		/* The upper body, as a second detection. */
		put(film, 0.305f + 0.01f * i, 0.3f, 0.04f, 0.07f, 0.6f, PERSON);
		look(film);
	}
	assert_int_equal(count(film), 1);
}

static void
models_do_not_mix(void **state)
{
	Film *film = *state;

	for (int i = 0; i < 4; i++)
	{
		put_person(film, 0.3f, 0.3f);
		put_person(film, 0.3f, 0.3f);
		film->inputs[1].model = 1;
		look(film);
	}
	assert_int_equal(count(film), 2);
	assert_int_equal(find(film, 1)->model + find(film, 2)->model, 1);
	/* What one model sees does not continue the other's track. */
	for (int model = 0; model < 2; model++)
	{
		put_person(film, 0.3f, 0.3f);
		film->inputs[0].model = model;
		look(film);
		for (int id = 1; id <= 2; id++)
			assert_int_equal(find(film, id)->seen, find(film, id)->model == model);
	}
}

static void
what_was_not_searched_is_not_missed(void **state)
{
	Film *film = *state;
	Box elsewhere = {0.6f, 0, 0.4f, 1};
	Box here = {0.2f, 0.2f, 0.3f, 0.4f};

	confirm_person(film, 0.3f, 0.3f, 1);
	for (int i = 0; i < 100; i++)
		look_at(film, &elsewhere, 1);
	assert_int_equal(find(film, 1)->state, TRACK_CONFIRMED);
	assert_false(find(film, 1)->seen);
	look_at(film, &here, 1);
	assert_int_equal(find(film, 1)->state, TRACK_LOST);
}

static void
due_until_it_stands(void **state)
{
	Film *film = *state;
	int64_t recheck = 10000000;
	const Track *tracks;

	assert_false(tracker_due(film->tracker, 0, recheck));
	for (int i = 0; i < 40; i++)
	{
		/* Jitter, which must not be taken for a speed in the quarter of an hour. */
		put_person(film, 0.3f + 0.004f * (i % 3), 0.3f);
		look(film);
		if (find(film, 1) == NULL || !find(film, 1)->stationary)
			assert_true(tracker_due(film->tracker, film->at_us, recheck));
	}
	assert_true(find(film, 1)->stationary);
	assert_false(tracker_due(film->tracker, film->at_us, recheck));

	/* A quarter of an hour without motion. */
	for (int i = 0; i < 15 * 60 * 5; i++, film->at_us += STEP_US)
	{
		tracker_idle(film->tracker, film->at_us);
		assert_int_equal(ended(film, &tracks), 0);
	}
	assert_non_null(find(film, 1));
	assert_false(find(film, 1)->seen);
	assert_true(tracker_due(film->tracker, film->at_us, recheck));
	put_person(film, 0.3f, 0.3f);
	look(film);
	assert_int_equal(count(film), 1);
	assert_true(find(film, 1)->seen);
	assert_false(tracker_due(film->tracker, film->at_us, recheck));
	/* Gone: searched for until it is given up. */
	look(film);
	assert_true(tracker_due(film->tracker, film->at_us, recheck));
}

static void
the_end_of_the_stream_ends_all(void **state)
{
	Film *film = *state;
	const Track *tracks;

	for (int i = 0; i < 4; i++)
	{
		put_person(film, 0.3f, 0.3f);
		put_person(film, 0.6f, 0.3f);
		if (i == 3)
			put_person(film, 0.1f, 0.3f);
		look(film);
	}
	assert_int_equal(count(film), 3);
	tracker_end_all(film->tracker, film->at_us);
	assert_int_equal(count(film), 0);
	assert_int_equal(ended(film, &tracks), 2);
	assert_int_equal(tracks[0].id, 1);
	assert_int_equal(tracks[1].id, 2);
}

static void
a_flood_is_bounded(void **state)
{
	Film *film = *state;
	const Track *tracks;

	for (int frame = 0; frame < 12; frame++)
	{
		for (int i = 0; i < 300; i++)
			put(film, (float) (i % 20) / 20, (float) (i / 20 + frame % 2) / 20, 0.03f, 0.03f, 0.9f,
				i % 3);
		look(film);
		assert_in_range(tracker_tracks(film->tracker, &tracks), 1, TRACKER_MAX_TRACKS);
	}
	for (int i = 0; i < 30; i++)
		look(film);
	assert_int_equal(count(film), 0);
}

static void
hostile_boxes_do_no_harm(void **state)
{
	Film *film = *state;
	float zero = 0;

	for (int i = 0; i < 5; i++)
	{
		put(film, 0.5f, 0.5f, 0, 0, 0.9f, PERSON);
		put(film, 0.5f, 0.5f, -1, 0.3f, 0.9f, PERSON);
		put(film, 0.2f, 0.2f, 0.1f, 0.1f, zero / zero, PERSON);
		put_person(film, 0.3f, 0.3f);
		look(film);
		assert_int_equal(count(film), 1);
	}
	film->at_us = 0; /* time runs backwards */
	put_person(film, 0.3f, 0.3f);
	look(film);
	assert_int_equal(count(film), 1);
}

static void
the_same_calls_give_the_same_tracks(void **state)
{
	Film *film = *state;
	static Track first[50][64];
	int counts[50];

	for (int round = 0; round < 2; round++)
	{
		TrackerSettings settings;
		uint32_t seed = 5;

		tracker_default_settings(&settings);
		tracker_free(film->tracker);
		film->tracker = tracker_create(&settings);
		film->at_us = 0;
		for (int frame = 0; frame < 50; frame++)
		{
			const Track *tracks;
			int n;

			for (int i = 0; i < 20; i++)
			{
				seed = seed * 1664525u + 1013904223u;
				put(film, (float) (i % 5) / 5 + (float) (seed >> 8 & 255) / 5000,
					(float) (i / 5) / 5 + (float) frame / 500, 0.05f, 0.16f,
					(float) (seed >> 16 & 255) / 255, (int) (seed >> 24) % 2);
			}
			look(film);
			n = tracker_tracks(film->tracker, &tracks);
			assert_in_range(n, 1, 64);
			if (round == 0)
			{
				counts[frame] = n;
				memcpy(first[frame], tracks, n * sizeof(Track));
			}
			assert_int_equal(n, counts[frame]);
			assert_memory_equal(first[frame], tracks, n * sizeof(Track));
		}
	}
}

static void
an_age_may_be_asked_for(void **state)
{
	Film *film = *state;

	/* Six sightings at five a second are one second. */
	for (int i = 0; i <= 5; i++)
	{
		assert_null(find(film, 1));
		put_person(film, 0.3f, 0.3f);
		film->inputs[0].min_age_us = 1000000;
		look(film);
	}
	assert_non_null(find(film, 1));
	assert_int_equal(find(film, 1)->first_us, 0);
}

static void
exact_labels_are_never_taken_for_another(void **state)
{
	Film *film = *state;

	for (int exact = 0; exact <= 1; exact++)
	{
		tracker_end_all(film->tracker, film->at_us);
		for (int i = 0; i < 6; i++)
		{
			put(film, 0, 0, 1, 1, 0.9f, i < 3 ? CAR : LORRY);
			film->inputs[0].exact = exact;
			look(film);
		}
		/* What a car was called a lorry; a scene that was calm is on fire. */
		assert_int_equal(count(film), exact ? 2 : 1);
		assert_int_equal(find(film, exact + 1)->label, CAR);
	}
	assert_int_equal(find(film, 3)->label, LORRY);
}

static void
attributes_are_the_newest(void **state)
{
	Film *film = *state;

	for (int i = 0; i < 4; i++)
	{
		put_person(film, 0.3f, 0.3f);
		film->inputs[0].attributes.has_temperature = 1;
		film->inputs[0].attributes.temperature = 36 + i;
		look(film);
		if (i >= 2)
			assert_float_equal(find(film, 1)->attributes.temperature, 36 + i, 0);
	}
}

#define FILM_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FILM_TEST(three_sightings_confirm),
		FILM_TEST(an_age_may_be_asked_for),
		FILM_TEST(exact_labels_are_never_taken_for_another),
		FILM_TEST(attributes_are_the_newest),
		FILM_TEST(a_single_false_alarm_is_forgotten),
		FILM_TEST(doubtful_detections_start_nothing),
		FILM_TEST(doubtful_detections_continue_a_track),
		FILM_TEST(a_walker_keeps_one_track),
		FILM_TEST(a_runner_keeps_one_track),
		FILM_TEST(a_dash_keeps_the_track),
		FILM_TEST(a_much_larger_box_is_somebody_else),
		FILM_TEST(crossing_walkers_keep_their_tracks),
		FILM_TEST(hidden_while_crossing),
		FILM_TEST(a_gap_is_bridged),
		FILM_TEST(a_lost_track_ends),
		FILM_TEST(who_walks_out_is_gone_at_once),
		FILM_TEST(who_walks_out_of_a_region_is_gone),
		FILM_TEST(ids_follow_confirmation),
		FILM_TEST(a_stander_becomes_stationary_and_a_walker_not),
		FILM_TEST(creeping_is_not_standing),
		FILM_TEST(a_parked_car_outlasts_what_hides_it),
		FILM_TEST(labels_do_not_mix),
		FILM_TEST(a_wavering_label_is_one_track),
		FILM_TEST(two_boxes_on_one_person_are_one_track),
		FILM_TEST(models_do_not_mix),
		FILM_TEST(what_was_not_searched_is_not_missed),
		FILM_TEST(due_until_it_stands),
		FILM_TEST(the_end_of_the_stream_ends_all),
		FILM_TEST(a_flood_is_bounded),
		FILM_TEST(hostile_boxes_do_no_harm),
		FILM_TEST(the_same_calls_give_the_same_tracks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
