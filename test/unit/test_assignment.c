/* Optimal assignment, against trying everything. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>

#include "assignment.h"

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* The best sum over all matchings of the rows from row on. */
static float
best_sum(const float *score, int nrows, int ncolumns, int row, unsigned used)
{
	float best;

	if (row == nrows)
		return 0;
	best = best_sum(score, nrows, ncolumns, row + 1, used);
	for (int column = 0; column < ncolumns; column++)
	{
		float sum;

		if ((used & 1u << column) != 0 || score[row * ncolumns + column] <= 0)
			continue;
		sum = score[row * ncolumns + column] +
			  best_sum(score, nrows, ncolumns, row + 1, used | 1u << column);
		best = sum > best ? sum : best;
	}
	return best;
}

/* The sum of a matching, which must be one to one and only of positive scores. */
static float
sum_of(const float *score, int nrows, int ncolumns, const int *match)
{
	unsigned used = 0;
	float sum = 0;

	for (int row = 0; row < nrows; row++)
	{
		if (match[row] < 0)
			continue;
		assert_in_range(match[row], 0, ncolumns - 1);
		assert_int_equal(used & 1u << match[row], 0);
		used |= 1u << match[row];
		assert_true(score[row * ncolumns + match[row]] > 0);
		sum += score[row * ncolumns + match[row]];
	}
	return sum;
}

static void
greedy_would_be_worse(void **state)
{
	/* The best pair first gives 0.9 + 0, the other way 0.8 + 0.7. */
	const float score[] = {0.9f, 0.8f, 0.7f, 0};
	int match[2];

	assign(score, 2, 2, match);
	assert_int_equal(match[0], 1);
	assert_int_equal(match[1], 0);
}

static void
what_scores_nothing_stays_alone(void **state)
{
	const float score[] = {0, -1, 0, 0, 0.5f, 0};
	int match[3];

	assign(score, 3, 2, match);
	assert_int_equal(match[0], -1);
	assert_int_equal(match[1], -1);
	assert_int_equal(match[2], 0);
}

static void
no_columns(void **state)
{
	int match[2] = {7, 7};

	assign(NULL, 2, 0, match);
	assert_int_equal(match[0], -1);
	assert_int_equal(match[1], -1);
	assign(NULL, 0, 5, match);
}

static void
as_good_as_trying_everything(void **state)
{
	uint32_t seed = 1;

	for (int round = 0; round < 3000; round++)
	{
		int nrows = 1 + next_random(&seed) % 6;
		int ncolumns = 1 + next_random(&seed) % 6;
		float score[36];
		int match[6];

		for (int i = 0; i < nrows * ncolumns; i++)
		{
			score[i] = (float) (next_random(&seed) % 100) / 100;
			if (next_random(&seed) % 3 == 0)
				score[i] = 0;
		}
		assign(score, nrows, ncolumns, match);
		assert_float_equal(sum_of(score, nrows, ncolumns, match),
						   best_sum(score, nrows, ncolumns, 0, 0), 1e-4f);
	}
}

static void
the_largest_problem(void **state)
{
	static float score[ASSIGNMENT_MAX * ASSIGNMENT_MAX];
	int match[ASSIGNMENT_MAX];

	/* Only the reversed diagonal adds up to the most. */
	for (int i = 0; i < ASSIGNMENT_MAX; i++)
		for (int j = 0; j < ASSIGNMENT_MAX; j++)
			score[i * ASSIGNMENT_MAX + j] = i + j == ASSIGNMENT_MAX - 1 ? 0.9f : 0.1f;
	assign(score, ASSIGNMENT_MAX, ASSIGNMENT_MAX, match);
	for (int i = 0; i < ASSIGNMENT_MAX; i++)
		assert_int_equal(match[i], ASSIGNMENT_MAX - 1 - i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greedy_would_be_worse),
		cmocka_unit_test(what_scores_nothing_stays_alone),
		cmocka_unit_test(no_columns),
		cmocka_unit_test(as_good_as_trying_everything),
		cmocka_unit_test(the_largest_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
