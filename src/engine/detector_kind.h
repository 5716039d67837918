/*
 * detector_kind.h
 *		The kinds of models there are, as cctv.models.kind names them.
 *
 * Most kinds are networks, of which only the decode differs (DecodeKind);
 * others look at a grey picture by themselves (PictureKind).
 */
#ifndef CCTV_DETECTOR_KIND_H
#define CCTV_DETECTOR_KIND_H

#include <stdbool.h>

/* What others must know of a kind. */
typedef struct KindTraits
{
	const char *name;	 /* as in cctv.models.kind */
	unsigned options;	 /* OptionFamily, besides OPTIONS_ALL */
	bool whole_frame;	 /* a part of the frame tells it nothing: always show all */
	bool faces;			 /* small, and on persons: looked for in enlarged persons, too */
	bool one_per_region; /* a verdict on the region, not objects in it */
	bool no_file;		 /* has no weights */
} KindTraits;

struct DecodeKind;
struct PictureKind;

/* NULL: there is no such kind. */
extern const KindTraits *find_kind_traits(const char *name);

/* NULL: there is no such kind, or it is of the other sort. */
extern const struct DecodeKind *find_decode_kind(const char *name);
extern const struct PictureKind *find_picture_kind(const char *name);

#endif /* CCTV_DETECTOR_KIND_H */
