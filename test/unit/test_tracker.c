/* The life of tracks, from detections made by hand. */
#include "film.h"

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

/* Confidences of 0.55 do not convince, until most are higher. */
static void
a_median_confidence_confirms(void **state)
{
	Film *film = *state;
	TrackerSettings settings;

	tracker_default_settings(&settings);
	settings.median_confidence = 0.7f;
	tracker_configure(film->tracker, &settings);
	for (int i = 0; i < 7; i++)
	{
		assert_null(find(film, 1));
		put(film, 0.3f, 0.3f, 0.05f, 0.16f, i % 2 == 0 || i == 1 ? 0.55f : 0.9f, PERSON);
		look(film);
	}
	assert_null(find(film, 1));
	for (int i = 0; i < 4; i++)
	{
		assert_null(find(film, 1));
		put(film, 0.3f, 0.3f, 0.05f, 0.16f, 0.9f, PERSON);
		look(film);
	}
	assert_non_null(find(film, 1));
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FILM_TEST(three_sightings_confirm),
		FILM_TEST(a_median_confidence_confirms),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
