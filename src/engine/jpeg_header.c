/*
 * jpeg_header.c
 *		What a JPEG's leading segments say of how its pixels are meant.
 */
#include "jpeg_header.h"

#include <stdint.h>
#include <string.h>

#define MARKER_EOI 0xd9
#define MARKER_SOS 0xda
#define MARKER_EXIF 0xe1  /* APP1 */
#define MARKER_ADOBE 0xee /* APP14 */

#define EXIF_SIGNATURE "Exif\0"
#define EXIF_SIGNATURE_LENGTH 6
#define ADOBE_SIGNATURE "Adobe"
#define ADOBE_SIGNATURE_LENGTH 5

#define TIFF_HEADER_LENGTH 8 /* byte order, 42, where the first directory lies */
#define TIFF_ENTRY_LENGTH 12 /* tag, type, count, value */
#define TIFF_SHORT 3
#define TAG_ORIENTATION 0x0112

/* A TIFF structure, as EXIF is one. */
typedef struct Tiff
{
	const unsigned char *bytes;
	size_t length;
	bool little_endian;
} Tiff;

/* Both need 2, or 4, bytes at the offset. */
static unsigned
tiff_short(const Tiff *tiff, size_t at)
{
	const unsigned char *p = tiff->bytes + at;

	return tiff->little_endian ? p[0] | p[1] << 8 : p[0] << 8 | p[1];
}

static uint32_t
tiff_long(const Tiff *tiff, size_t at)
{
	uint32_t first = tiff_short(tiff, at);
	uint32_t second = tiff_short(tiff, at + 2);

	return tiff->little_endian ? first | second << 16 : first << 16 | second;
}

static Turn
exif_turn(const unsigned char *bytes, size_t length)
{
	Tiff tiff = {.bytes = bytes, .length = length};
	size_t at;
	unsigned entries;

	if (length < TIFF_HEADER_LENGTH)
		return TURN_NONE;
	tiff.little_endian = memcmp(bytes, "II", 2) == 0;
	if ((!tiff.little_endian && memcmp(bytes, "MM", 2) != 0) || tiff_short(&tiff, 2) != 42)
		return TURN_NONE;
	at = tiff_long(&tiff, 4);
	if (at > length - 2)
		return TURN_NONE;
	entries = tiff_short(&tiff, at);
	at += 2;
	for (; entries > 0 && length - at >= TIFF_ENTRY_LENGTH; entries--, at += TIFF_ENTRY_LENGTH)
	{
		unsigned value;

		if (tiff_short(&tiff, at) != TAG_ORIENTATION)
			continue;
		value = tiff_short(&tiff, at + 8);
		if (tiff_short(&tiff, at + 2) != TIFF_SHORT || value < TURN_NONE || value > TURN_LAST)
			return TURN_NONE;
		return (Turn) value;
	}
	return TURN_NONE;
}

JpegHeader
jpeg_header_read(const unsigned char *bytes, size_t length)
{
	JpegHeader header = {.turn = TURN_NONE, .adobe = false};
	bool exif = false;
	size_t at = 2; /* after the start of the image */

	while (length > at && length - at >= 4 && bytes[at] == 0xff)
	{
		unsigned marker = bytes[at + 1];
		const unsigned char *data = bytes + at + 4;
		size_t segment;

		/* Markers may be padded with 0xff. */
		if (marker == 0xff)
		{
			at++;
			continue;
		}
		segment = (size_t) bytes[at + 2] << 8 | bytes[at + 3];
		if (marker == MARKER_SOS || marker == MARKER_EOI || segment < 2 ||
			segment > length - at - 2)
			break;
		segment -= 2;
		if (marker == MARKER_EXIF && !exif && segment > EXIF_SIGNATURE_LENGTH &&
			memcmp(data, EXIF_SIGNATURE, EXIF_SIGNATURE_LENGTH) == 0)
		{
			exif = true;
			header.turn = exif_turn(data + EXIF_SIGNATURE_LENGTH, segment - EXIF_SIGNATURE_LENGTH);
		}
		else if (marker == MARKER_ADOBE && segment >= ADOBE_SIGNATURE_LENGTH &&
				 memcmp(data, ADOBE_SIGNATURE, ADOBE_SIGNATURE_LENGTH) == 0)
			header.adobe = true;
		at += 4 + segment;
	}
	return header;
}
