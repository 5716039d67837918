/*
 * clusters.h
 *		From marked cells of a grid to moving things.
 */
#ifndef CCTV_CLUSTERS_H
#define CCTV_CLUSTERS_H

#include <stdint.h>

#include "luma_grid.h"
#include "motion.h"

/* How far a cell is from its background. */
typedef enum Mark
{
	MARK_NONE,
	MARK_WEAK, /* enough beside a strong one */
	MARK_STRONG
} Mark;

/* Copy the marks that have company to kept: noise is alone.  One Mark for every cell. */
extern void keep_supported(const LumaGrid *grid, const uint8_t *marks, uint8_t *kept);

/*
 * Write to the result the clusters of marks with at least one strong one that
 * cover min_area of the frame, largest first, and the area that they cover.
 * visited and stack are scratch for every cell.
 */
extern void find_clusters(const LumaGrid *grid, const uint8_t *kept, float min_area,
						  uint8_t *visited, int *stack, MotionResult *result);

#endif /* CCTV_CLUSTERS_H */
