/* Which detections are one object: labels, models, regions, and what is hostile. */
#include "film.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FILM_TEST(an_age_may_be_asked_for),
		FILM_TEST(exact_labels_are_never_taken_for_another),
		FILM_TEST(attributes_are_the_newest),
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
