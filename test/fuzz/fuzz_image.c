/* A posted picture: JPEG, PNG, or what claims to be one. */
#include "fuzz.h"

#include <libavutil/log.h>

#include "image.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AVFrame *frame = NULL;
	ImageInfo info = {0};
	char reason[256] = "";

	av_log_set_level(AV_LOG_QUIET);
	if (image_decode(data, size, 320, &frame, &info, reason, sizeof(reason)) == IMAGE_OK)
	{
		CHECK(frame != NULL && frame->width > 0 && frame->height > 0);
		CHECK(info.width > 0 && info.width <= IMAGE_MAX_SIDE);
		CHECK(info.height > 0 && info.height <= IMAGE_MAX_SIDE);
		CHECK((int64_t) info.width * info.height <= IMAGE_MAX_PIXELS);
		/* Every pixel is there to be read. */
		for (int row = 0; row < frame->height; row++)
			CHECK(frame->data[0][(ptrdiff_t) row * frame->linesize[0] + frame->width - 1] <= 255);
	}
	else
		CHECK(frame == NULL && reason[0] != '\0');
	av_frame_free(&frame);
	return 0;
}
