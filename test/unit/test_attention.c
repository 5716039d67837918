/* Where in a frame the next look goes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "attention.h"
#include "clock.h"

#define INPUT 384
#define STEP_US (CLOCK_SECOND / 5)

/* A camera that is looked at five times a second. */
typedef struct Guard
{
	Attention attention;
	View view;
	bool part;
	PixelRect region;
} Guard;

static Box
pixels(float x, float y, float w, float h, int width, int height)
{
	Box box = {x / width, y / height, w / width, h / height};

	return box;
}

static Track
walker(Box box)
{
	return (Track){.state = TRACK_CONFIRMED, .box = box, .predicted = box};
}

static bool
is_covered(const Guard *guard, const Box *box)
{
	const PixelRect *rect = &guard->region;
	int width = guard->view.width;
	int height = guard->view.height;

	return !guard->part || (rect->x <= box->x * width + 1 && rect->y <= box->y * height + 1 &&
							rect->x + rect->w >= (box->x + box->w) * width - 1 &&
							rect->y + rect->h >= (box->y + box->h) * height - 1);
}

static void
look(Guard *guard)
{
	guard->part = attention_choose(&guard->attention, &guard->view, &guard->region);
	if (guard->part)
	{
		const PixelRect *rect = &guard->region;

		assert_true(rect->x >= 0 && rect->y >= 0 && rect->w > 0 && rect->h > 0);
		assert_true(rect->x + rect->w <= guard->view.width);
		assert_true(rect->y + rect->h <= guard->view.height);
		assert_int_equal(rect->x % 2, 0);
		assert_int_equal(rect->y % 2, 0);
	}
	attention_searched(&guard->attention, &guard->view, guard->part ? &guard->region : NULL);
	guard->view.at_us += STEP_US;
}

/* After the first look, which is everywhere. */
static void
begin(Guard *guard, int width, int height)
{
	*guard = (Guard){.view = {.width = width,
							  .height = height,
							  .input_width = INPUT,
							  .input_height = INPUT,
							  .at_us = CLOCK_SECOND}};
	attention_reset(&guard->attention);
	look(guard);
	assert_false(guard->part);
}

static void
a_small_frame_is_searched_whole(void **state)
{
	Box box = pixels(10, 10, 20, 50, 576, 432);
	Guard guard;

	/* 576 is one and a half times 384. */
	begin(&guard, 576, 432);
	guard.view.clusters = &box;
	guard.view.nclusters = 1;
	look(&guard);
	assert_false(guard.part);
}

static void
without_anything_to_see_the_whole_is_searched(void **state)
{
	Box outside[] = {{1.2f, 0.5f, 0.1f, 0.1f}, {0.5f, 0.5f, 0, 0.1f}};
	Guard guard;

	begin(&guard, 1280, 720);
	look(&guard);
	assert_false(guard.part);
	guard.view.clusters = outside;
	guard.view.nclusters = 2;
	look(&guard);
	assert_false(guard.part);
	guard.view.input_width = 0;
	look(&guard);
	assert_false(guard.part);
}

static void
one_small_thing_gets_a_square_of_the_input(void **state)
{
	Box box = pixels(600, 300, 40, 100, 1280, 720);
	Guard guard;

	begin(&guard, 1280, 720);
	guard.view.clusters = &box;
	guard.view.nclusters = 1;
	look(&guard);
	assert_true(guard.part);
	assert_in_range(guard.region.w, INPUT, INPUT * 2);
	assert_int_equal(guard.region.w, guard.region.h);
	assert_true(is_covered(&guard, &box));
	/* In the middle: 620, 350. */
	assert_in_range(guard.region.x + guard.region.w / 2, 617, 623);
	assert_in_range(guard.region.y + guard.region.h / 2, 347, 360);
}

static void
a_square_in_the_corner_stays_in_the_frame(void **state)
{
	Track track = walker(pixels(1260, 680, 20, 40, 1280, 720));
	Guard guard;

	begin(&guard, 1280, 720);
	guard.view.tracks = &track;
	guard.view.ntracks = 1;
	look(&guard);
	assert_true(guard.part);
	assert_true(is_covered(&guard, &track.box));
}

static void
what_is_large_is_searched_whole(void **state)
{
	Track tracks[] = {walker(pixels(100, 100, 200, 500, 1280, 720)),
					  walker(pixels(900, 100, 200, 500, 1280, 720))};
	Guard guard;

	begin(&guard, 1280, 720);
	guard.view.tracks = tracks;
	guard.view.ntracks = 2;
	for (int i = 0; i < 30; i++)
	{
		look(&guard);
		assert_false(guard.part);
	}
}

static void
far_from_each_other_they_take_turns(void **state)
{
	Track tracks[] = {walker(pixels(100, 100, 25, 60, 1920, 1080)),
					  walker(pixels(1700, 900, 25, 60, 1920, 1080))};
	int seen[2] = {0, 0};
	Guard guard;

	begin(&guard, 1920, 1080);
	guard.view.tracks = tracks;
	guard.view.ntracks = 2;
	for (int i = 0; i < 14; i++)
	{
		look(&guard);
		assert_true(guard.part);
		for (int k = 0; k < 2; k++)
			seen[k] += is_covered(&guard, &tracks[k].box);
	}
	assert_in_range(seen[0], 6, 8);
	assert_in_range(seen[1], 6, 8);
}

static void
the_whole_is_searched_every_three_seconds(void **state)
{
	Track track = walker(pixels(600, 300, 20, 50, 1280, 720));
	int wholes = 0;
	Guard guard;

	begin(&guard, 1280, 720);
	guard.view.tracks = &track;
	guard.view.ntracks = 1;
	for (int i = 0; i < 60; i++)
	{
		look(&guard);
		wholes += !guard.part;
	}
	assert_int_equal(wholes, 4);
}

/* Forty in 3840 x 2160, of which the whole shows none and a square a few. */
static void
nobody_waits_for_ever(void **state)
{
	Track tracks[40];
	int waited[40] = {0};
	int longest = 0;
	Guard guard;

	for (int i = 0; i < 40; i++)
		tracks[i] = walker(pixels((i * 977) % 3700, (i * 613) % 2050, 40, 90, 3840, 2160));
	begin(&guard, 3840, 2160);
	guard.view.tracks = tracks;
	guard.view.ntracks = 40;
	for (int i = 0; i < 600; i++)
	{
		look(&guard);
		for (int k = 0; k < 40; k++)
		{
			waited[k] = guard.part && is_covered(&guard, &tracks[k].box) ? 0 : waited[k] + 1;
			longest = waited[k] > longest ? waited[k] : longest;
		}
	}
	print_message("# nobody waits for more than %d looks\n", longest);
	assert_in_range(longest, 10, 40);
}

/* A tree that sways beside someone who walks does not have all the looks. */
static void
motion_without_objects_leaves_room_for_tracks(void **state)
{
	Track track = walker(pixels(100, 300, 25, 60, 1920, 1080));
	Box tree = pixels(1500, 100, 300, 400, 1920, 1080);
	int seen = 0;
	Guard guard;

	begin(&guard, 1920, 1080);
	guard.view.tracks = &track;
	guard.view.ntracks = 1;
	guard.view.clusters = &tree;
	guard.view.nclusters = 1;
	for (int i = 0; i < 14; i++)
	{
		look(&guard);
		seen += is_covered(&guard, &track.box);
	}
	assert_in_range(seen, 7, 13);
}

/* A crowd far away moves as one: it is looked at in parts, too. */
static void
a_large_cluster_is_enlarged(void **state)
{
	Box crowd = pixels(200, 500, 3400, 500, 3840, 2160);
	bool left = false;
	bool right = false;
	Guard guard;

	begin(&guard, 3840, 2160);
	guard.view.clusters = &crowd;
	guard.view.nclusters = 1;
	for (int i = 0; i < 12; i++)
	{
		look(&guard);
		if (!guard.part)
			continue;
		assert_true(guard.region.w < 3000);
		left |= guard.region.x < 600;
		right |= guard.region.x + guard.region.w > 3200;
	}
	assert_true(left);
	assert_true(right);
}

static void
what_moves_as_tracked_is_no_news(void **state)
{
	Track track = walker(pixels(600, 300, 40, 100, 1280, 720));
	Box own = pixels(605, 310, 30, 80, 1280, 720);
	Guard with;
	Guard without;

	begin(&with, 1280, 720);
	begin(&without, 1280, 720);
	with.view.tracks = without.view.tracks = &track;
	with.view.ntracks = without.view.ntracks = 1;
	with.view.clusters = &own;
	with.view.nclusters = 1;
	look(&with);
	look(&without);
	assert_memory_equal(&with.region, &without.region, sizeof(with.region));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_frame_is_searched_whole),
		cmocka_unit_test(without_anything_to_see_the_whole_is_searched),
		cmocka_unit_test(one_small_thing_gets_a_square_of_the_input),
		cmocka_unit_test(a_square_in_the_corner_stays_in_the_frame),
		cmocka_unit_test(what_is_large_is_searched_whole),
		cmocka_unit_test(far_from_each_other_they_take_turns),
		cmocka_unit_test(the_whole_is_searched_every_three_seconds),
		cmocka_unit_test(nobody_waits_for_ever),
		cmocka_unit_test(motion_without_objects_leaves_room_for_tracks),
		cmocka_unit_test(a_large_cluster_is_enlarged),
		cmocka_unit_test(what_moves_as_tracked_is_no_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
