/*
 * caption.c
 *		Text as far as it can be drawn on a picture.
 */
#include "caption.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* U+00C0 to U+017F (Latin-1 and Latin Extended-A) without their accents. */
#define LATIN_FIRST 0xC0
static const char latin[][3] = {
	"A", "A", "A",	"A",  "A", "A", "AE", "C",	"E",  "E", "E", "E", "I",  "I",	 "I", "I", "D", "N",
	"O", "O", "O",	"O",  "O", "x", "O",  "U",	"U",  "U", "U", "Y", "Th", "ss", "a", "a", "a", "a",
	"a", "a", "ae", "c",  "e", "e", "e",  "e",	"i",  "i", "i", "i", "d",  "n",	 "o", "o", "o", "o",
	"o", "/", "o",	"u",  "u", "u", "u",  "y",	"th", "y", "A", "a", "A",  "a",	 "A", "a", "C", "c",
	"C", "c", "C",	"c",  "C", "c", "D",  "d",	"D",  "d", "E", "e", "E",  "e",	 "E", "e", "E", "e",
	"E", "e", "G",	"g",  "G", "g", "G",  "g",	"G",  "g", "H", "h", "H",  "h",	 "I", "i", "I", "i",
	"I", "i", "I",	"i",  "I", "i", "IJ", "ij", "J",  "j", "K", "k", "k",  "L",	 "l", "L", "l", "L",
	"l", "L", "l",	"L",  "l", "N", "n",  "N",	"n",  "N", "n", "n", "N",  "n",	 "O", "o", "O", "o",
	"O", "o", "OE", "oe", "R", "r", "R",  "r",	"R",  "r", "S", "s", "S",  "s",	 "S", "s", "S", "s",
	"T", "t", "T",	"t",  "T", "t", "U",  "u",	"U",  "u", "U", "u", "U",  "u",	 "U", "u", "U", "u",
	"W", "w", "Y",	"y",  "Y", "Z", "z",  "Z",	"z",  "Z", "z", "s",
};
#define LATIN_COUNT (sizeof(latin) / sizeof(latin[0]))

/* Accents that follow their letter, as some systems write them, are left out. */
#define COMBINING_FIRST 0x300
#define COMBINING_LAST 0x36F

/* Take the next character off the front; 0xFFFD for what is not UTF-8. */
static uint32_t
next_character(const char **text)
{
	const unsigned char *p = (const unsigned char *) *text;
	uint32_t character = *p++;
	int more = character < 0x80 ? 0 : character >= 0xF0 ? 3 : character >= 0xE0 ? 2 : 1;

	if (character >= 0x80 && (character < 0xC2 || character > 0xF4))
		character = 0xFFFD;
	else if (more > 0)
		character &= 0x3F >> more;
	for (; character != 0xFFFD && more > 0; more--)
	{
		if ((*p & 0xC0) == 0x80)
			character = character << 6 | (*p++ & 0x3F);
		else
			character = 0xFFFD;
	}
	*text = (const char *) p;
	return character;
}

/* The ASCII form of a character, "" for none needed, NULL for none there is. */
static const char *
form_of(uint32_t character, char own[2])
{
	if (character >= 0x20 && character < 0x7F)
	{
		own[0] = (char) character;
		own[1] = '\0';
		return own;
	}
	if (character >= LATIN_FIRST && character < LATIN_FIRST + LATIN_COUNT)
		return latin[character - LATIN_FIRST];
	if (character >= COMBINING_FIRST && character <= COMBINING_LAST)
		return "";
	switch (character)
	{
		case 0xA0:
		case 0x202F:
			return " ";
		case 0x2010:
		case 0x2011:
		case 0x2012:
		case 0x2013:
		case 0x2014:
			return "-";
		case 0x2018:
		case 0x2019:
			return "'";
		case 0x201C:
		case 0x201D:
		case 0x201E:
			return "\"";
		default:
			return NULL;
	}
}

int
caption_ascii(const char *text, char *out, size_t size)
{
	size_t length = 0;
	int unknown = 0;

	while (*text != '\0')
	{
		char own[2];
		const char *form = form_of(next_character(&text), own);
		size_t added;

		if (form == NULL)
		{
			form = "?";
			unknown++;
		}
		added = strlen(form);
		if (length + added >= size)
			break;
		memcpy(out + length, form, added);
		length += added;
	}
	out[length] = '\0';
	return unknown;
}

void
caption_camera(const char *name, int camera_id, char out[CAPTION_NAME])
{
	int unknown = name != NULL ? caption_ascii(name, out, CAPTION_NAME) : 0;

	if (name == NULL || out[0] == '\0' || (size_t) unknown * 2 > strlen(out))
		snprintf(out, CAPTION_NAME, "camera %d", camera_id);
}
