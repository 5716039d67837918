/*
 * image.c
 *		A posted picture, JPEG or PNG, to a frame.
 */
#include "image.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <turbojpeg.h>

#include "jpeg_header.h"

/* A JPEG may have more progressive scans than make sense; each takes a pass. */
#define JPEG_FLAGS (TJFLAG_LIMITSCANS | TJFLAG_FASTUPSAMPLE)

#define PNG_SIGNATURE "\x89PNG\r\n\x1a\n"
#define PNG_SIGNATURE_LENGTH 8
#define PNG_CHUNK_OVERHEAD 12 /* length, type, checksum */

static ImageResult
check_size(const ImageInfo *info, char *reason, size_t reason_size)
{
	if (info->width < 1 || info->height < 1)
	{
		snprintf(reason, reason_size, "it has no size");
		return IMAGE_DAMAGED;
	}
	if (info->width <= IMAGE_MAX_SIDE && info->height <= IMAGE_MAX_SIDE &&
		(int64_t) info->width * info->height <= IMAGE_MAX_PIXELS)
		return IMAGE_OK;
	snprintf(reason, reason_size,
			 "it has %d x %d pixels; the limit is %d megapixels, and %d in a row or column",
			 info->width, info->height, IMAGE_MAX_PIXELS / 1000000, IMAGE_MAX_SIDE);
	return IMAGE_TOO_LARGE;
}

/* A frame with buffers; NULL when out of memory. */
static AVFrame *
make_frame(int width, int height, enum AVPixelFormat format)
{
	AVFrame *frame = av_frame_alloc();

	if (frame == NULL)
		return NULL;
	frame->width = width;
	frame->height = height;
	frame->format = format;
	frame->color_range = AVCOL_RANGE_JPEG;
	frame->colorspace = format == AV_PIX_FMT_RGB24 ? AVCOL_SPC_RGB : AVCOL_SPC_SMPTE170M;
	if (av_frame_get_buffer(frame, 0) < 0)
		av_frame_free(&frame);
	return frame;
}

/* ---- JPEG ---- */

/* The frame's format for a JPEG's subsampling; NONE if there is none. */
static enum AVPixelFormat
jpeg_format(int subsampling)
{
	switch (subsampling)
	{
		case TJSAMP_444:
			return AV_PIX_FMT_YUVJ444P;
		case TJSAMP_422:
			return AV_PIX_FMT_YUVJ422P;
		case TJSAMP_420:
			return AV_PIX_FMT_YUVJ420P;
		case TJSAMP_440:
			return AV_PIX_FMT_YUVJ440P;
		case TJSAMP_411:
			return AV_PIX_FMT_YUVJ411P;
		case TJSAMP_GRAY:
			return AV_PIX_FMT_GRAY8;
	}
	return AV_PIX_FMT_NONE;
}

/* The smallest of 1, 1/2, 1/4 and 1/8 that leaves both sides at least wanted. */
static tjscalingfactor
jpeg_scale(const ImageInfo *info, int wanted_side)
{
	tjscalingfactor scale = {1, 1};
	int shorter = info->width < info->height ? info->width : info->height;

	while (scale.denom < 8 && shorter / (scale.denom * 2) >= wanted_side)
		scale.denom *= 2;
	return scale;
}

/* The library's words are its own, none of the picture's. */
static ImageResult
jpeg_problem(tjhandle jpeg, char *reason, size_t reason_size)
{
	snprintf(reason, reason_size, "it is a damaged JPEG: %s", tjGetErrorStr2(jpeg));
	return IMAGE_DAMAGED;
}

/* Is a complaint of the decoder one that leaves part of the picture grey? */
static bool
jpeg_is_cut(tjhandle jpeg)
{
	return tjGetErrorCode(jpeg) != TJERR_WARNING ||
		   strstr(tjGetErrorStr2(jpeg), "Premature end") != NULL;
}

/* What the header of a JPEG says. */
typedef struct Jpeg
{
	const unsigned char *bytes;
	size_t length;
	int width; /* as it is to be decoded */
	int height;
	int subsampling;
	int colours;
	JpegHeader header;
} Jpeg;

/* After a call of the decoder: is there a picture, whatever it complains of? */
static ImageResult
jpeg_outcome(tjhandle decoder, int code, char *reason, size_t reason_size)
{
	if (code == 0 || !jpeg_is_cut(decoder))
		return IMAGE_OK;
	return jpeg_problem(decoder, reason, reason_size);
}

/* As it is stored: planes of luma and chroma, which need no conversion. */
static ImageResult
decode_planes(tjhandle decoder, const Jpeg *jpeg, AVFrame **frame, char *reason, size_t reason_size)
{
	int code;

	*frame = make_frame(jpeg->width, jpeg->height, jpeg_format(jpeg->subsampling));
	if (*frame == NULL)
		return IMAGE_NO_MEMORY;
	code = tjDecompressToYUVPlanes(decoder, jpeg->bytes, jpeg->length, (*frame)->data, jpeg->width,
								   (*frame)->linesize, jpeg->height, JPEG_FLAGS);
	return jpeg_outcome(decoder, code, reason, reason_size);
}

/*
 * Cyan, magenta, yellow and black to the RGB that they leave of white paper.
 * Colour profiles are not applied; the objects are the same.
 */
static void
convert_cmyk(const uint8_t *cmyk, bool inverted, int width, uint8_t *rgb)
{
	int flip = inverted ? 0 : 255;

	for (int x = 0; x < width; x++, cmyk += 4, rgb += 3)
		for (int i = 0; i < 3; i++)
			rgb[i] = (uint8_t) ((cmyk[i] ^ flip) * (cmyk[3] ^ flip) / 255);
}

static ImageResult
decode_cmyk(tjhandle decoder, const Jpeg *jpeg, AVFrame *frame, char *reason, size_t reason_size)
{
	size_t stride = (size_t) jpeg->width * 4;
	uint8_t *cmyk = malloc(stride * jpeg->height);
	ImageResult result;

	if (cmyk == NULL)
		return IMAGE_NO_MEMORY;
	result = jpeg_outcome(decoder,
						  tjDecompress2(decoder, jpeg->bytes, jpeg->length, cmyk, jpeg->width,
										(int) stride, jpeg->height, TJPF_CMYK, JPEG_FLAGS),
						  reason, reason_size);
	for (int y = 0; result == IMAGE_OK && y < jpeg->height; y++)
		convert_cmyk(cmyk + y * stride, jpeg->header.adobe, jpeg->width,
					 frame->data[0] + y * frame->linesize[0]);
	free(cmyk);
	return result;
}

/* Replace a frame by what it shows after the turn. */
static ImageResult
turn_frame(Turn turn, AVFrame **frame)
{
	AVFrame *lying = *frame;
	bool swapped = turn_swaps_sides(turn);

	*frame = make_frame(swapped ? lying->height : lying->width,
						swapped ? lying->width : lying->height, AV_PIX_FMT_RGB24);
	if (*frame != NULL)
		turn_rgb(turn, lying->data[0], lying->linesize[0], lying->width, lying->height,
				 (*frame)->data[0], (*frame)->linesize[0]);
	av_frame_free(&lying);
	return *frame != NULL ? IMAGE_OK : IMAGE_NO_MEMORY;
}

/* In RGB, and upright. */
static ImageResult
decode_rgb(tjhandle decoder, const Jpeg *jpeg, AVFrame **frame, char *reason, size_t reason_size)
{
	ImageResult result;

	*frame = make_frame(jpeg->width, jpeg->height, AV_PIX_FMT_RGB24);
	if (*frame == NULL)
		return IMAGE_NO_MEMORY;
	if (jpeg->colours == TJCS_CMYK || jpeg->colours == TJCS_YCCK)
		result = decode_cmyk(decoder, jpeg, *frame, reason, reason_size);
	else
		result = jpeg_outcome(decoder,
							  tjDecompress2(decoder, jpeg->bytes, jpeg->length, (*frame)->data[0],
											jpeg->width, (*frame)->linesize[0], jpeg->height,
											TJPF_RGB, JPEG_FLAGS),
							  reason, reason_size);
	if (result == IMAGE_OK && jpeg->header.turn != TURN_NONE)
		result = turn_frame(jpeg->header.turn, frame);
	return result;
}

static ImageResult
decode_jpeg(const unsigned char *bytes, size_t length, int wanted_side, AVFrame **frame,
			ImageInfo *info, char *reason, size_t reason_size)
{
	tjhandle decoder = tjInitDecompress();
	Jpeg jpeg = {.bytes = bytes, .length = length, .header = jpeg_header_read(bytes, length)};
	ImageResult result;

	if (decoder == NULL)
		return IMAGE_NO_MEMORY;
	if (tjDecompressHeader3(decoder, bytes, length, &info->width, &info->height, &jpeg.subsampling,
							&jpeg.colours) != 0)
		result = jpeg_problem(decoder, reason, reason_size);
	else
		result = check_size(info, reason, reason_size);
	if (result == IMAGE_OK)
	{
		tjscalingfactor scale = jpeg_scale(info, wanted_side);

		jpeg.width = TJSCALED(info->width, scale);
		jpeg.height = TJSCALED(info->height, scale);
		if (turn_swaps_sides(jpeg.header.turn))
			*info = (ImageInfo){.width = info->height, .height = info->width};
		if (jpeg.header.turn == TURN_NONE && jpeg_format(jpeg.subsampling) != AV_PIX_FMT_NONE &&
			(jpeg.colours == TJCS_YCbCr || jpeg.colours == TJCS_GRAY))
			result = decode_planes(decoder, &jpeg, frame, reason, reason_size);
		else
			result = decode_rgb(decoder, &jpeg, frame, reason, reason_size);
	}
	if (result != IMAGE_OK)
		av_frame_free(frame);
	tjDestroy(decoder);
	return result;
}

/* ---- PNG ---- */

static uint32_t
big_endian(const unsigned char *bytes)
{
	return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 | (uint32_t) bytes[2] << 8 |
		   bytes[3];
}

/* The chunks that make the pixels.  Others may be bombs of their own, such as zTXt. */
static bool
is_pixel_chunk(const unsigned char *type)
{
	static const char *const types[] = {"IHDR", "PLTE", "tRNS", "IDAT", "IEND"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (memcmp(type, types[i], 4) == 0)
			return true;
	return false;
}

/*
 * Copy the chunks that make the pixels into a packet of the same size or less.
 * Returns NULL with a reason when they are not in order.
 */
static AVPacket *
pack_png(const unsigned char *bytes, size_t length, char *reason, size_t reason_size)
{
	AVPacket *packet = av_packet_alloc();
	size_t in = PNG_SIGNATURE_LENGTH;
	size_t out = PNG_SIGNATURE_LENGTH;
	bool complete = false;

	snprintf(reason, reason_size, "out of memory");
	if (packet == NULL || av_new_packet(packet, (int) length) < 0)
	{
		av_packet_free(&packet);
		return NULL;
	}
	memcpy(packet->data, bytes, PNG_SIGNATURE_LENGTH);
	while (!complete && length - in >= PNG_CHUNK_OVERHEAD)
	{
		size_t data = big_endian(bytes + in);
		size_t chunk = data + PNG_CHUNK_OVERHEAD;

		if (data > length - in - PNG_CHUNK_OVERHEAD)
			break;
		if (is_pixel_chunk(bytes + in + 4))
		{
			memcpy(packet->data + out, bytes + in, chunk);
			out += chunk;
		}
		complete = memcmp(bytes + in + 4, "IEND", 4) == 0;
		in += chunk;
	}
	if (!complete)
	{
		snprintf(reason, reason_size, "it is a PNG that is cut off");
		av_packet_free(&packet);
		return NULL;
	}
	av_shrink_packet(packet, (int) out);
	return packet;
}

static ImageResult
decode_packet(const AVPacket *packet, const ImageInfo *info, AVFrame **frame)
{
	const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_PNG);
	AVCodecContext *context = codec != NULL ? avcodec_alloc_context3(codec) : NULL;
	int code = AVERROR(ENOMEM);

	*frame = av_frame_alloc();
	if (context != NULL && *frame != NULL)
	{
		context->thread_count = 1;
		/* The header that was checked holds, but for what alignment adds. */
		context->max_pixels = (int64_t) (info->width + 64) * (info->height + 64);
		context->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
		if ((code = avcodec_open2(context, codec, NULL)) >= 0 &&
			(code = avcodec_send_packet(context, packet)) >= 0 &&
			(code = avcodec_send_packet(context, NULL)) >= 0)
			code = avcodec_receive_frame(context, *frame);
	}
	avcodec_free_context(&context);
	if (code < 0)
		av_frame_free(frame);
	if (code == AVERROR(ENOMEM))
		return IMAGE_NO_MEMORY;
	return code >= 0 ? IMAGE_OK : IMAGE_DAMAGED;
}

static ImageResult
decode_png(const unsigned char *bytes, size_t length, AVFrame **frame, ImageInfo *info,
		   char *reason, size_t reason_size)
{
	const unsigned char *header = bytes + PNG_SIGNATURE_LENGTH;
	AVPacket *packet;
	ImageResult result;

	if (length < PNG_SIGNATURE_LENGTH + PNG_CHUNK_OVERHEAD + 13 ||
		memcmp(header + 4, "IHDR", 4) != 0 || big_endian(header) != 13 ||
		big_endian(header + 8) > INT32_MAX || big_endian(header + 12) > INT32_MAX)
	{
		snprintf(reason, reason_size, "it is a PNG without a header");
		return IMAGE_DAMAGED;
	}
	info->width = (int) big_endian(header + 8);
	info->height = (int) big_endian(header + 12);
	if ((result = check_size(info, reason, reason_size)) != IMAGE_OK)
		return result;
	packet = pack_png(bytes, length, reason, reason_size);
	if (packet == NULL)
		return IMAGE_DAMAGED;
	result = decode_packet(packet, info, frame);
	if (result == IMAGE_DAMAGED)
		snprintf(reason, reason_size, "it is a damaged PNG");
	av_packet_free(&packet);
	return result;
}

ImageResult
image_decode(const unsigned char *bytes, size_t length, int wanted_side, AVFrame **frame,
			 ImageInfo *info, char *reason, size_t reason_size)
{
	ImageResult result;

	*frame = NULL;
	*info = (ImageInfo){0, 0};
	if (length > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE)
	{
		snprintf(reason, reason_size, "it is too long");
		return IMAGE_TOO_LARGE;
	}
	if (length >= PNG_SIGNATURE_LENGTH && memcmp(bytes, PNG_SIGNATURE, PNG_SIGNATURE_LENGTH) == 0)
		result = decode_png(bytes, length, frame, info, reason, reason_size);
	else if (length >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
		result = decode_jpeg(bytes, length, wanted_side, frame, info, reason, reason_size);
	else
	{
		snprintf(reason, reason_size, "it is neither a JPEG nor a PNG");
		return IMAGE_UNKNOWN;
	}
	if (result == IMAGE_NO_MEMORY)
		snprintf(reason, reason_size, "there is not enough memory for its %d x %d pixels",
				 info->width, info->height);
	return result;
}
