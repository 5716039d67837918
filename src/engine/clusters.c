/*
 * clusters.c
 *		Cleaning of marks, and their connected components.
 */
#include "clusters.h"

#include <math.h>
#include <string.h>

#define SUPPORT 3 /* marked cells among the 3 x 3, the cell included */
#define REACH 2	  /* cells this near belong together */

/* A connected set of marked cells. */
typedef struct Cluster
{
	int cells;
	int left;
	int top;
	int right; /* inclusive */
	int bottom;
} Cluster;

void
keep_supported(const LumaGrid *grid, const uint8_t *marks, uint8_t *kept)
{
	int columns = grid->columns;
	int rows = grid->rows;

	memset(kept, MARK_NONE, (size_t) columns * rows);
	for (int y = 0; y < rows; y++)
		for (int x = 0; x < columns; x++)
		{
			int support = 0;

			if (marks[y * columns + x] == MARK_NONE)
				continue;
			for (int j = y > 0 ? y - 1 : 0; j <= y + 1 && j < rows; j++)
				for (int i = x > 0 ? x - 1 : 0; i <= x + 1 && i < columns; i++)
					support += marks[j * columns + i] != MARK_NONE;
			if (support >= SUPPORT)
				kept[y * columns + x] = marks[y * columns + x];
		}
}

/* Walk the cluster that contains a cell, clearing its marks in visited. */
static Cluster
walk_cluster(const LumaGrid *grid, uint8_t *visited, int *stack, int start)
{
	int columns = grid->columns;
	int rows = grid->rows;
	Cluster cluster = {0, columns, rows, -1, -1};
	int depth = 0;

	stack[depth++] = start;
	visited[start] = MARK_NONE;
	while (depth > 0)
	{
		int cell = stack[--depth];
		int x = cell % columns;
		int y = cell / columns;

		cluster.cells++;
		cluster.left = x < cluster.left ? x : cluster.left;
		cluster.right = x > cluster.right ? x : cluster.right;
		cluster.top = y < cluster.top ? y : cluster.top;
		cluster.bottom = y > cluster.bottom ? y : cluster.bottom;
		for (int j = y > REACH ? y - REACH : 0; j <= y + REACH && j < rows; j++)
			for (int i = x > REACH ? x - REACH : 0; i <= x + REACH && i < columns; i++)
				if (visited[j * columns + i] != MARK_NONE)
				{
					visited[j * columns + i] = MARK_NONE;
					stack[depth++] = j * columns + i;
				}
	}
	return cluster;
}

static Box
cluster_box(const LumaGrid *grid, const Cluster *cluster)
{
	PixelRect rect;
	Box box;

	rect.x = cluster->left * grid->cell;
	rect.y = cluster->top * grid->cell;
	rect.w = (cluster->right + 1 - cluster->left) * grid->cell;
	rect.h = (cluster->bottom + 1 - cluster->top) * grid->cell;
	box = box_from_rect(&rect, grid->width, grid->height);
	return box_clip(&box);
}

/* The largest clusters, and one place more to sort into. */
typedef struct Largest
{
	int n;
	int sizes[MOTION_MAX_CLUSTERS + 1];
	Box boxes[MOTION_MAX_CLUSTERS + 1];
} Largest;

/* Put a cluster in its place; what no longer fits widens the last. */
static void
add_cluster(Largest *largest, Box box, int size)
{
	Box *last = &largest->boxes[MOTION_MAX_CLUSTERS - 1];
	int at = largest->n++;

	for (; at > 0 && largest->sizes[at - 1] < size; at--)
	{
		largest->boxes[at] = largest->boxes[at - 1];
		largest->sizes[at] = largest->sizes[at - 1];
	}
	largest->boxes[at] = box;
	largest->sizes[at] = size;
	if (largest->n > MOTION_MAX_CLUSTERS)
	{
		*last = box_union(last, last + 1);
		largest->n--;
	}
}

void
find_clusters(const LumaGrid *grid, const uint8_t *kept, float min_area, uint8_t *visited,
			  int *stack, MotionResult *result)
{
	int n = grid->columns * grid->rows;
	float min_cells = fmaxf(min_area * n, SUPPORT);
	Largest largest = {0};
	int moving = 0;

	memcpy(visited, kept, n);
	for (int i = 0; i < n; i++)
	{
		Cluster cluster;

		if (visited[i] != MARK_STRONG)
			continue;
		cluster = walk_cluster(grid, visited, stack, i);
		if (cluster.cells < min_cells)
			continue;
		moving += cluster.cells;
		add_cluster(&largest, cluster_box(grid, &cluster), cluster.cells);
	}
	result->nclusters = largest.n;
	memcpy(result->clusters, largest.boxes, largest.n * sizeof(Box));
	result->area = (float) moving / n;
}
