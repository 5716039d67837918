/*
 * snapshot.c
 *		A JPEG of a track, from the best of its frames so far.
 */
#include "snapshot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "picture.h"

/* Sharpness is judged at this many points across and down. */
#define SAMPLES 48

/* An edge this strong, in luma levels, is half as good as any can be. */
#define SHARP_EDGE 24.0f

/* A box this near to the edge of the frame is cut off by it. */
#define EDGE 0.005f
#define CUT_OFF 0.5f

static int
clamp(int value, int low, int high)
{
	return value < low ? low : value > high ? high : value;
}

/* The most significant 8 bits of a luma sample. */
static int
luma_at(const AVFrame *frame, const AVComponentDescriptor *luma, int x, int y)
{
	const uint8_t *sample =
		frame->data[luma->plane] + (ptrdiff_t) y * frame->linesize[luma->plane] + x * luma->step;

	if (luma->depth <= 8)
		return *sample;
	return (sample[0] | sample[1] << 8) >> (luma->depth - 8);
}

/*
 * The standard deviation of the Laplacian (J. L. Pech-Pacheco et al., Diatom
 * autofocusing in brightfield microscopy, ICPR 2000), in luma levels, on a grid
 * of points in the box.  Neighbours lie two pixels away: noise and compression
 * are finer than that.
 */
static float
edge_strength(const AVFrame *frame, const Box *box)
{
	const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
	const int reach = 2;
	int left = clamp((int) (box->x * frame->width), reach, frame->width - 1 - reach);
	int top = clamp((int) (box->y * frame->height), reach, frame->height - 1 - reach);
	int right = clamp((int) ((box->x + box->w) * frame->width), left, frame->width - 1 - reach);
	int bottom = clamp((int) ((box->y + box->h) * frame->height), top, frame->height - 1 - reach);
	double sum = 0;
	double squares = 0;
	const int n = SAMPLES * SAMPLES;

	if (format == NULL || frame->width <= 2 * reach || frame->height <= 2 * reach)
		return 0;
	for (int i = 0; i < n; i++)
	{
		const AVComponentDescriptor *luma = &format->comp[0];
		int x = left + (right - left) * (i % SAMPLES) / SAMPLES;
		int y = top + (bottom - top) * (i / SAMPLES) / SAMPLES;
		int laplacian = 4 * luma_at(frame, luma, x, y) - luma_at(frame, luma, x - reach, y) -
						luma_at(frame, luma, x + reach, y) - luma_at(frame, luma, x, y - reach) -
						luma_at(frame, luma, x, y + reach);

		sum += laplacian;
		squares += (double) laplacian * laplacian;
	}
	return (float) sqrt(fmax(0, squares / n - sum / n * (sum / n)));
}

float
snapshot_score(const AVFrame *frame, const Box *box, float confidence)
{
	float edges = edge_strength(frame, box);
	float score =
		confidence * sqrtf(fmaxf(box->w * box->h, 0)) * (edges + 1) / (edges + SHARP_EDGE);

	if (box->x < EDGE || box->y < EDGE || box->x + box->w > 1 - EDGE || box->y + box->h > 1 - EDGE)
		score *= CUT_OFF;
	return score;
}

static void
annotate(const Canvas *canvas, const Snapshot *snapshot)
{
	char caption[128];

	snprintf(caption, sizeof(caption), "%s %d%%", snapshot->label,
			 (int) (snapshot->confidence * 100 + 0.5f));
	draw_object(canvas, &snapshot->box, caption);
	picture_sign(canvas, snapshot->camera, snapshot->at_us, NULL);
}

int
snapshot_store(const char *media_dir, const char *path, const Canvas *canvas, SnapshotFile *file,
			   char *reason, size_t reason_size)
{
	unsigned char *jpeg;
	size_t length;
	int error;

	if (picture_compress(canvas, &jpeg, &length) != 0)
	{
		snprintf(reason, reason_size, "the picture cannot be compressed");
		return -1;
	}
	error = media_file_store(media_dir, path, jpeg, length, file->sha256);
	free(jpeg);
	if (error < 0)
	{
		snprintf(reason, reason_size, "%s cannot be written: %s", path, strerror(-error));
		return -1;
	}
	file->bytes = (int64_t) length;
	file->width = canvas->width;
	file->height = canvas->height;
	return 0;
}

int
snapshot_write(const char *media_dir, const Snapshot *snapshot, SnapshotFile *file, char *reason,
			   size_t reason_size)
{
	Canvas canvas = {0};
	int result = -1;

	if (picture_from_frame(snapshot->frame, 0, &canvas) != 0)
		snprintf(reason, reason_size, "the picture cannot be converted");
	else
	{
		if (snapshot->annotated)
			annotate(&canvas, snapshot);
		result = snapshot_store(media_dir, snapshot->path, &canvas, file, reason, reason_size);
	}
	free(canvas.data);
	return result;
}
