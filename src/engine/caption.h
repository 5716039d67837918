/*
 * caption.h
 *		Text as far as it can be drawn on a picture: the font knows ASCII only.
 */
#ifndef CCTV_CAPTION_H
#define CCTV_CAPTION_H

#include <stddef.h>

#ifdef __cplusplus
extern "C"
{
#endif

/* Room for a camera's name on a picture, its NUL included; longer ones are cut. */
#define CAPTION_NAME 64

	/*
	 * Copy UTF-8 text into out (size > 0 bytes, NUL included) in ASCII: Latin letters
	 * without their accents, "?" for what has no such form.  Returns how many
	 * characters became "?".
	 */
	extern int caption_ascii(const char *text, char *out, size_t size);

	/*
	 * What to call a camera on a picture: its name, or "camera 7" when it has none
	 * (NULL) or when less than half of it could be read.
	 */
	extern void caption_camera(const char *name, int camera_id, char out[CAPTION_NAME]);

#ifdef __cplusplus
}
#endif

#endif /* CCTV_CAPTION_H */
