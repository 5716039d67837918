/*
 * detector_picture.h
 *		Kinds of models that look at a grey picture by themselves, without tensors.
 *
 * Needs no media header, so that C++ may include it.
 */
#ifndef CCTV_DETECTOR_PICTURE_H
#define CCTV_DETECTOR_PICTURE_H

#include <stddef.h>
#include <stdint.h>

#include "candidates.h"
#include "detector_kind.h"

#ifdef __cplusplus
extern "C"
{
#endif

	/* Brightness, 0 (black) to 255 (white), whatever range the stream uses. */
	typedef struct GreyPicture
	{
		const uint8_t *pixels;
		int width;
		int height;
		int stride; /* bytes between rows */
	} GreyPicture;

	struct ModelOptions;

	/* Every function that fails leaves a one-line reason in error. */
	typedef struct PictureKind
	{
		KindTraits traits;

		/*
	 * Load the model; path is NULL for a kind without a file.  options outlive
	 * it.  Returns NULL on failure.  runtime gets what it runs on.
	 */
		void *(*open)(const char *path, const struct ModelOptions *options, char *runtime,
					  size_t runtime_size, char *error, size_t error_size);
		void (*close)(void *model);

		/*
	 * Add every object of at least min_confidence, all of label 0, with boxes
	 * in fractions of the picture.  Any number of threads at once.  0 or -1.
	 */
		int (*search)(void *model, const GreyPicture *picture, float min_confidence,
					  Candidates *candidates, char *error, size_t error_size);
	} PictureKind;

	extern const PictureKind picture_cascade;
	extern const PictureKind picture_hog;
	extern const PictureKind picture_hotspot;

#ifdef __cplusplus
}
#endif

#endif /* CCTV_DETECTOR_PICTURE_H */
