/*
 * assignment.c
 *		Optimal assignment by shortest augmenting paths.
 *
 * Costs are the negated scores.  Row i may also stay alone at cost 0, for which
 * it has a column of its own, number ncolumns + i; so every row is always
 * matched, and a pair that is not worth having is simply never chosen.
 */
#include "assignment.h"

#include <math.h>
#include <stdbool.h>

#define COLUMNS_MAX (2 * ASSIGNMENT_MAX)

typedef struct Problem
{
	const float *score;
	int nrows;
	int ncolumns;
	float row_price[ASSIGNMENT_MAX];
	float column_price[COLUMNS_MAX];
	short owner[COLUMNS_MAX]; /* row of a column, or -1 */
} Problem;

/* What an augmenting path has reached. */
typedef struct Search
{
	float distance[COLUMNS_MAX];
	short before[COLUMNS_MAX]; /* column from which this one was reached, or -1 */
	bool done[COLUMNS_MAX];
} Search;

/* Cost of a pair; INFINITY for one that is not allowed. */
static float
cost(const Problem *problem, int row, int column)
{
	float score;

	if (column >= problem->ncolumns)
		return column - problem->ncolumns == row ? 0 : INFINITY;
	score = problem->score[row * problem->ncolumns + column];
	return score > 0 ? -score : INFINITY;
}

/* The nearest column not yet done, given that row has been reached at a distance. */
static int
step(const Problem *problem, Search *search, int row, int from, float reached)
{
	int total = problem->ncolumns + problem->nrows;
	int nearest = -1;

	for (int column = 0; column < total; column++)
	{
		float through;

		if (search->done[column])
			continue;
		through = reached + cost(problem, row, column) - problem->row_price[row] -
				  problem->column_price[column];
		if (through < search->distance[column])
		{
			search->distance[column] = through;
			search->before[column] = (short) from;
		}
		if (search->distance[column] < INFINITY &&
			(nearest < 0 || search->distance[column] < search->distance[nearest]))
			nearest = column;
	}
	return nearest;
}

/* Match one more row: the cheapest chain of exchanges that ends in a free column. */
static void
augment(Problem *problem, Search *search, int root)
{
	int total = problem->ncolumns + problem->nrows;
	int row = root;
	int column = -1;
	float reached = 0;

	for (int i = 0; i < total; i++)
	{
		search->distance[i] = INFINITY;
		search->before[i] = -1;
		search->done[i] = false;
	}
	for (;;)
	{
		/* A column is always found: the row's own is free. */
		column = step(problem, search, row, column, reached);
		reached = search->distance[column];
		search->done[column] = true;
		if (problem->owner[column] < 0)
			break;
		row = problem->owner[column];
	}

	/* Prices keep every reduced cost at or above zero, and those of pairs at zero. */
	problem->row_price[root] += reached;
	for (int i = 0; i < total; i++)
	{
		if (!search->done[i])
			continue;
		problem->column_price[i] -= reached - search->distance[i];
		if (problem->owner[i] >= 0)
			problem->row_price[problem->owner[i]] += reached - search->distance[i];
	}

	while (search->before[column] >= 0)
	{
		problem->owner[column] = problem->owner[search->before[column]];
		column = search->before[column];
	}
	problem->owner[column] = (short) root;
}

void
assign(const float *score, int nrows, int ncolumns, int *match)
{
	Problem problem;
	Search search;

	problem.score = score;
	problem.nrows = nrows;
	problem.ncolumns = ncolumns;
	for (int row = 0; row < nrows; row++)
	{
		/* The least cost of the row, so that no reduced cost is below zero. */
		problem.row_price[row] = 0;
		for (int column = 0; column < ncolumns; column++)
			problem.row_price[row] = fminf(problem.row_price[row], cost(&problem, row, column));
		match[row] = -1;
	}
	for (int column = 0; column < ncolumns + nrows; column++)
	{
		problem.column_price[column] = 0;
		problem.owner[column] = -1;
	}

	for (int row = 0; row < nrows; row++)
		augment(&problem, &search, row);
	for (int column = 0; column < ncolumns; column++)
		if (problem.owner[column] >= 0)
			match[problem.owner[column]] = column;
}
