/*
 * detector_kind.c
 *		The table of kinds: a new one is a file and a line here.
 */
#include "detector_kind.h"

#include <stddef.h>
#include <string.h>

#include "detector_decode.h"
#include "detector_picture.h"

static const DecodeKind *const DECODE_KINDS[] = {
	&decode_efficientdet, &decode_yolo, &decode_ultraface,
	&decode_retinaface,	  &decode_ssd,	&decode_classifier,
};

static const PictureKind *const PICTURE_KINDS[] = {
	&picture_cascade,
	&picture_hog,
	&picture_hotspot,
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

const DecodeKind *
find_decode_kind(const char *name)
{
	for (size_t i = 0; i < LENGTH(DECODE_KINDS); i++)
		if (strcmp(DECODE_KINDS[i]->traits.name, name) == 0)
			return DECODE_KINDS[i];
	return NULL;
}

const PictureKind *
find_picture_kind(const char *name)
{
	for (size_t i = 0; i < LENGTH(PICTURE_KINDS); i++)
		if (strcmp(PICTURE_KINDS[i]->traits.name, name) == 0)
			return PICTURE_KINDS[i];
	return NULL;
}

const KindTraits *
find_kind_traits(const char *name)
{
	const DecodeKind *decode = find_decode_kind(name);
	const PictureKind *picture = find_picture_kind(name);

	if (decode != NULL)
		return &decode->traits;
	return picture != NULL ? &picture->traits : NULL;
}
