/*
 * What happens to a camera's view: made up on a grid, and done to frames of a
 * street (vtest.avi of OpenCV; skipped without it).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <math.h>
#include <cmocka.h>

#include "clock.h"
#include "real_media.h"
#include "tamper.h"

#define COLUMNS 96
#define ROWS 72
#define CELLS (COLUMNS * ROWS)
#define STEP_US (CLOCK_SECOND / 5)

/* A view on a grid, which can be told what to show. */
typedef struct View
{
	Tamper *tamper;
	float scene[CELLS];
	float shown[CELLS];
	uint32_t seed;
	int64_t at_us;
	TamperState state;
} View;

/* 0 to 1. */
static float
uniform(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (float) (*seed >> 8) / (1 << 24);
}

/* Walls and windows: rectangles of random levels. */
static void
make_scene(float *cells, uint32_t seed)
{
	for (int i = 0; i < CELLS; i++)
		cells[i] = 90;
	for (int n = 0; n < 150; n++)
	{
		int left = (int) (uniform(&seed) * COLUMNS);
		int top = (int) (uniform(&seed) * ROWS);
		int width = 2 + (int) (uniform(&seed) * 14);
		int height = 2 + (int) (uniform(&seed) * 14);
		float level = 30 + uniform(&seed) * 190;

		for (int row = top; row < top + height && row < ROWS; row++)
			for (int column = left; column < left + width && column < COLUMNS; column++)
				cells[row * COLUMNS + column] = level;
	}
}

static int
setup(void **state)
{
	View *view = calloc(1, sizeof(*view));

	view->tamper = tamper_create();
	view->seed = 3;
	view->at_us = CLOCK_SECOND;
	make_scene(view->scene, 11);
	*state = view;
	return 0;
}

static int
teardown(void **state)
{
	View *view = *state;

	tamper_free(view->tamper);
	free(view);
	return 0;
}

/* Show cells for so many seconds, with the noise of a sensor. */
static TamperState
show(View *view, const float *cells, double seconds)
{
	LumaGrid grid = {.columns = COLUMNS, .rows = ROWS, .cell = 8, .cells = view->shown};
	int64_t until_us = view->at_us + (int64_t) (seconds * CLOCK_SECOND);

	for (; view->at_us < until_us; view->at_us += STEP_US)
	{
		for (int i = 0; i < CELLS; i++)
			view->shown[i] = fminf(fmaxf(cells[i] + uniform(&view->seed) - 0.5f, 0), 255);
		view->state = tamper_update(view->tamper, &grid, view->at_us);
	}
	return view->state;
}

static void
change(const View *view, float *cells, float gain, float offset)
{
	for (int i = 0; i < CELLS; i++)
		cells[i] = view->scene[i] * gain + offset;
}

/* Each cell becomes the mean of those around it. */
static void
blur(const float *from, float *to, int reach)
{
	for (int row = 0; row < ROWS; row++)
		for (int column = 0; column < COLUMNS; column++)
		{
			float sum = 0;
			int n = 0;

			for (int y = row - reach; y <= row + reach; y++)
				for (int x = column - reach; x <= column + reach; x++)
					if (y >= 0 && y < ROWS && x >= 0 && x < COLUMNS)
					{
						sum += from[y * COLUMNS + x];
						n++;
					}
			to[row * COLUMNS + column] = sum / n;
		}
}

static void
a_covered_lens_is_blocked(void **state)
{
	View *view = *state;
	float cells[CELLS];

	assert_int_equal(show(view, view->scene, 20), TAMPER_NONE);
	for (int i = 0; i < CELLS; i++)
		cells[i] = 16;
	assert_int_equal(show(view, cells, 4.9), TAMPER_NONE);
	assert_int_equal(show(view, cells, 0.5), TAMPER_BLOCKED);
	assert_int_equal(show(view, cells, 1000), TAMPER_BLOCKED);
	assert_int_equal(show(view, view->scene, 1.8), TAMPER_BLOCKED);
	assert_int_equal(show(view, view->scene, 0.6), TAMPER_NONE);
	/* A hand lets light in at its edges. */
	for (int i = 0; i < CELLS; i++)
		cells[i] = 20 + 30.0f * (i % COLUMNS) / COLUMNS;
	assert_int_equal(show(view, cells, 6), TAMPER_BLOCKED);
}

static void
another_scene_is_moved(void **state)
{
	View *view = *state;
	float other[CELLS];

	make_scene(other, 99);
	assert_int_equal(show(view, view->scene, 20), TAMPER_NONE);
	assert_int_equal(show(view, other, 9.9), TAMPER_NONE);
	assert_int_equal(show(view, other, 0.5), TAMPER_MOVED);
	assert_int_equal(show(view, view->scene, 2.4), TAMPER_NONE);
	/* Turned by a little: everything is six cells further left. */
	for (int i = 0; i < CELLS; i++)
		other[i] = view->scene[i / COLUMNS * COLUMNS + (i % COLUMNS + 6) % COLUMNS];
	assert_int_equal(show(view, other, 11), TAMPER_MOVED);
	/* What stays so is the view. */
	assert_int_equal(show(view, other, 580), TAMPER_MOVED);
	assert_int_equal(show(view, other, 40), TAMPER_NONE);
	assert_int_equal(show(view, view->scene, 11), TAMPER_MOVED);
}

static void
lost_edges_are_defocused(void **state)
{
	View *view = *state;
	float blurred[CELLS];

	blur(view->scene, blurred, 2);
	assert_int_equal(show(view, view->scene, 20), TAMPER_NONE);
	assert_int_equal(show(view, blurred, 9.9), TAMPER_NONE);
	assert_int_equal(show(view, blurred, 0.5), TAMPER_DEFOCUSED);
	assert_int_equal(show(view, view->scene, 2.4), TAMPER_NONE);
}

static void
what_passes_is_not_tampering(void **state)
{
	View *view = *state;
	float cells[CELLS];
	float other[CELLS];

	assert_int_equal(show(view, view->scene, 20), TAMPER_NONE);
	/* A flash, a bird before the lens, a camera that is wiped. */
	make_scene(other, 5);
	for (int i = 0; i < 20; i++)
	{
		assert_int_equal(show(view, other, 3), TAMPER_NONE);
		assert_int_equal(show(view, view->scene, 3), TAMPER_NONE);
	}
	/* A lorry that parks in half of the picture. */
	for (int i = 0; i < CELLS; i++)
		cells[i] = i % COLUMNS < COLUMNS / 2 ? other[i] : view->scene[i];
	assert_int_equal(show(view, cells, 60), TAMPER_NONE);
}

static void
light_is_not_tampering(void **state)
{
	View *view = *state;
	float cells[CELLS];

	assert_int_equal(show(view, view->scene, 20), TAMPER_NONE);
	/* A lamp goes off, another comes on; exposure follows. */
	change(view, cells, 0.5f, 0);
	assert_int_equal(show(view, cells, 60), TAMPER_NONE);
	change(view, cells, 1.0f, 30);
	assert_int_equal(show(view, cells, 60), TAMPER_NONE);
	/* Fog comes in ten minutes. */
	for (int i = 0; i <= 100; i++)
	{
		change(view, cells, 1 - 0.007f * i, 0.8f * i);
		assert_int_equal(show(view, cells, 6), TAMPER_NONE);
	}
}

/* A plain wall, or what a thermal camera sees of a cold one. */
static void
a_view_of_nothing_is_not_tampering(void **state)
{
	View *view = *state;
	float cells[CELLS];

	for (int i = 0; i < CELLS; i++)
		cells[i] = 60;
	assert_int_equal(show(view, cells, 60), TAMPER_NONE);
	for (int i = 0; i < 200; i++)
		cells[i] = 90;
	assert_int_equal(show(view, cells, 60), TAMPER_NONE);
}

static void
the_view_outlives_an_interruption(void **state)
{
	View *view = *state;
	float other[CELLS];

	make_scene(other, 99);
	assert_int_equal(show(view, view->scene, 20), TAMPER_NONE);
	tamper_cut(view->tamper);
	view->at_us += 100 * CLOCK_SECOND;
	assert_int_equal(show(view, other, 9.9), TAMPER_NONE);
	assert_int_equal(show(view, other, 1), TAMPER_MOVED);
	/* The episode ends with the stream, and is told again. */
	tamper_cut(view->tamper);
	view->at_us += 5 * CLOCK_SECOND;
	assert_int_equal(show(view, other, 9), TAMPER_NONE);
	assert_int_equal(show(view, other, 2), TAMPER_MOVED);
}

static void
sizes_that_change_or_are_small_are_harmless(void **state)
{
	View *view = *state;
	LumaGrid grid = {.columns = 48, .rows = 36, .cell = 8, .cells = view->shown};

	assert_int_equal(show(view, view->scene, 20), TAMPER_NONE);
	for (int i = 0; i < 100; i++, view->at_us += STEP_US)
		assert_int_equal(tamper_update(view->tamper, &grid, view->at_us), TAMPER_NONE);
	for (int columns = 1; columns < 20; columns++)
		for (int rows = 1; rows < 20; rows++)
		{
			grid.columns = columns;
			grid.rows = rows;
			for (int i = 0; i < 80; i++, view->at_us += STEP_US)
				assert_int_equal(tamper_update(view->tamper, &grid, view->at_us), TAMPER_NONE);
		}
}

/* What is done to the luma of real frames from the twentieth second on. */
typedef void (*Deed)(AVFrame *frame);

static void
do_nothing(AVFrame *frame)
{
}

static void
cover(AVFrame *frame)
{
	memset(frame->data[0], 30, (size_t) frame->linesize[0] * frame->height);
}

static void
turn(AVFrame *frame)
{
	for (int row = 0; row < frame->height; row++)
	{
		uint8_t *line = frame->data[0] + row * frame->linesize[0];

		memmove(line, line + 60, frame->width - 60);
	}
}

/* Mean of 33 by 33 pixels, by running sums, twice: nearly a Gaussian. */
static void
defocus(AVFrame *frame)
{
	enum
	{
		REACH = 16
	};
	int longest = frame->width > frame->height ? frame->width : frame->height;
	int *sums = malloc((longest + 1) * sizeof(int));

	for (int pass = 0; pass < 4; pass++)
	{
		bool across = pass % 2 == 0;
		int lines = across ? frame->height : frame->width;
		int length = across ? frame->width : frame->height;
		int step = across ? 1 : frame->linesize[0];
		int stride = across ? frame->linesize[0] : 1;

		for (int line = 0; line < lines; line++)
		{
			uint8_t *pixels = frame->data[0] + line * stride;

			sums[0] = 0;
			for (int i = 0; i < length; i++)
				sums[i + 1] = sums[i] + pixels[i * step];
			for (int i = 0; i < length; i++)
			{
				int from = i < REACH ? 0 : i - REACH;
				int to = i + REACH + 1 > length ? length : i + REACH + 1;

				pixels[i * step] = (uint8_t) ((sums[to] - sums[from]) / (to - from));
			}
		}
	}
	free(sums);
}

/* A deed done to a video after 20 s, as a camera's tamper detection sees it. */
typedef struct Watched
{
	Deed deed;
	TamperState expected;
	Tamper *tamper;
	LumaGrid grid;
	TamperState state; /* of the last frame */
	int others;		   /* frames of another state than NONE and the expected one */
	double last_s;
	double until_s;
} Watched;

static bool
watch_frame(AVFrame *frame, double seconds, void *context)
{
	Watched *watched = context;

	/* Five frames a second, as a camera's detection takes them. */
	if (watched->last_s >= 0 && seconds - watched->last_s < 0.199)
		return true;
	watched->last_s = seconds;
	if (seconds >= 20)
	{
		assert_true(av_frame_make_writable(frame) >= 0);
		watched->deed(frame);
	}
	assert_true(luma_grid_fill(&watched->grid, frame) >= 0);
	watched->state =
		tamper_update(watched->tamper, &watched->grid, (int64_t) (seconds * CLOCK_SECOND));
	watched->others += watched->state != TAMPER_NONE && watched->state != watched->expected;
	return seconds < watched->until_s;
}

/* The last state of the video, and no other than the one expected before. */
static void
expect_state(const char *path, Deed deed, double until_s, TamperState expected)
{
	Watched watched = {.deed = deed, .expected = expected, .last_s = -1, .until_s = until_s};

	watched.tamper = tamper_create();
	each_frame(path, watch_frame, &watched);
	tamper_free(watched.tamper);
	luma_grid_free(&watched.grid);
	assert_int_equal(watched.state, expected);
	assert_int_equal(watched.others, 0);
}

static void
done_to_a_street(Deed deed, TamperState expected)
{
	need_file(media_path_of_video());
	expect_state(media_path_of_video(), deed, 31, expected);
}

static void
a_street_that_is_covered(void **state)
{
	done_to_a_street(cover, TAMPER_BLOCKED);
}

static void
a_street_that_is_turned_away(void **state)
{
	done_to_a_street(turn, TAMPER_MOVED);
}

static void
a_street_out_of_focus(void **state)
{
	done_to_a_street(defocus, TAMPER_DEFOCUSED);
}

static void
ordinary_videos_are_not_tampered_with(void **state)
{
	static const char *const names[] = {"vtest.mp4", "vtest-720p.mp4", "vtest-hevc.mp4",
										"idle-720p15.mp4", "bframes-aac.mp4"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		char path[128];

		snprintf(path, sizeof(path), "build/media/%s", names[i]);
		need_file(path);
		expect_state(path, do_nothing, INFINITY, TAMPER_NONE);
	}
}

#define VIEW_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		VIEW_TEST(a_covered_lens_is_blocked),
		VIEW_TEST(another_scene_is_moved),
		VIEW_TEST(lost_edges_are_defocused),
		VIEW_TEST(what_passes_is_not_tampering),
		VIEW_TEST(light_is_not_tampering),
		VIEW_TEST(a_view_of_nothing_is_not_tampering),
		VIEW_TEST(the_view_outlives_an_interruption),
		VIEW_TEST(sizes_that_change_or_are_small_are_harmless),
		cmocka_unit_test(a_street_that_is_covered),
		cmocka_unit_test(a_street_that_is_turned_away),
		cmocka_unit_test(a_street_out_of_focus),
		cmocka_unit_test(ordinary_videos_are_not_tampered_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
