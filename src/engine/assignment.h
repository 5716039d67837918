/*
 * assignment.h
 *		The best one-to-one matching of rows to columns.
 */
#ifndef CCTV_ASSIGNMENT_H
#define CCTV_ASSIGNMENT_H

#define ASSIGNMENT_MAX 256 /* rows, and columns */

/*
 * Choose pairs so that the sum of their scores is the greatest; score is
 * nrows x ncolumns, row by row, and a score of 0 or less is never chosen.
 * Writes to match, for each row, its column or -1.
 *
 * The Hungarian method with shortest augmenting paths (Jonker and Volgenant,
 * "A shortest augmenting path algorithm for dense and sparse linear assignment
 * problems", Computing 38, 1987), O(rows^2 * columns).
 */
extern void assign(const float *score, int nrows, int ncolumns, int *match);

#endif /* CCTV_ASSIGNMENT_H */
