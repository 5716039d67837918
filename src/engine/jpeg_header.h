/*
 * jpeg_header.h
 *		What a JPEG's leading segments say of how its pixels are meant.
 */
#ifndef CCTV_JPEG_HEADER_H
#define CCTV_JPEG_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "turn.h"

typedef struct JpegHeader
{
	Turn turn;	/* that shows the picture upright */
	bool adobe; /* written by Adobe's rules: four colours are stored inverted */
} JpegHeader;

/*
 * Read the segments before the first scan: EXIF's orientation (its tag 0x0112
 * in the first directory; CIPA DC-008) and Adobe's marker.  The bytes are
 * hostile: what is damaged or absent leaves the picture as it lies.
 */
extern JpegHeader jpeg_header_read(const unsigned char *bytes, size_t length);

#endif /* CCTV_JPEG_HEADER_H */
