/*
 * probe_candidates.h
 *		Where a camera's streams usually are, when only its address is known.
 */
#ifndef CCTV_PROBE_CANDIDATES_H
#define CCTV_PROBE_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>

#define CANDIDATE_URL 2049
#define CANDIDATES_MAX_COUNT 160

/* One URL to try.  Those of a door (a port and protocol) share its fate. */
typedef struct Candidate
{
	char url[CANDIDATE_URL]; /* without credentials */
	int door;				 /* from 0, in the order of their appearance */
	bool still;				 /* a single picture at each request */
} Candidate;

/*
 * List what to try for an address: itself if it is a URL or a path, /dev/videoN
 * for the number N, else the usual URLs of a host (with an optional port, IPv6
 * in brackets), those of main streams first.  Returns how many, or -1 with a
 * reason when it is no address.
 */
extern int candidates_list(const char *address, Candidate *candidates, char *reason,
						   size_t reason_size);

#endif /* CCTV_PROBE_CANDIDATES_H */
