/*
 * video_header.c
 *		What the header of a file must say about a video stream.
 *
 * H.264 and HEVC repeat their parameter sets in band (Annex B), or keep them in
 * the container (avcC, hvcC) and announce new ones as side data.
 */
#include "video_header.h"

#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/mem.h>

struct VideoHeader
{
	AVCodecParameters *parameters;
	AVBSFContext *extract; /* finds parameter sets in band; NULL where there are none */
	AVPacket *scratch;
};

/* A piece of memory. */
typedef struct Span
{
	const uint8_t *data;
	size_t size;
} Span;

bool
video_header_supports(enum AVCodecID codec)
{
	return codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC || codec == AV_CODEC_ID_MJPEG ||
		   codec == AV_CODEC_ID_MPEG4;
}

/* Does the stream keep its parameter sets outside (the box avcC or hvcC)? */
static bool
has_boxed_extradata(const AVCodecParameters *parameters)
{
	return (parameters->codec_id == AV_CODEC_ID_H264 || parameters->codec_id == AV_CODEC_ID_HEVC) &&
		   parameters->extradata_size > 0 && parameters->extradata[0] == 1;
}

static int
open_extractor(VideoHeader *header)
{
	const AVBitStreamFilter *filter = av_bsf_get_by_name("extract_extradata");
	int result;

	if (filter == NULL || header->parameters->codec_id == AV_CODEC_ID_MJPEG ||
		has_boxed_extradata(header->parameters))
		return 0;
	result = av_bsf_alloc(filter, &header->extract);
	if (result < 0)
		return result;
	result = avcodec_parameters_copy(header->extract->par_in, header->parameters);
	if (result < 0)
		return result;
	return av_bsf_init(header->extract);
}

VideoHeader *
video_header_create(const AVCodecParameters *parameters)
{
	VideoHeader *header = calloc(1, sizeof(*header));

	if (header == NULL)
		return NULL;
	header->parameters = avcodec_parameters_alloc();
	header->scratch = av_packet_alloc();
	if (header->parameters == NULL || header->scratch == NULL ||
		avcodec_parameters_copy(header->parameters, parameters) < 0 || open_extractor(header) < 0)
	{
		video_header_free(header);
		return NULL;
	}
	return header;
}

void
video_header_free(VideoHeader *header)
{
	if (header == NULL)
		return;
	avcodec_parameters_free(&header->parameters);
	av_bsf_free(&header->extract);
	av_packet_free(&header->scratch);
	free(header);
}

/* Where the next start code (00 00 01) of Annex B begins, or the end. */
static const uint8_t *
find_start_code(const uint8_t *p, const uint8_t *end)
{
	for (; end - p >= 3; p++)
		if (p[0] == 0 && p[1] == 0 && p[2] == 1)
			return p;
	return end;
}

/* Take the next NAL unit off the front of an Annex B span; false: none left. */
static bool
next_nal(Span *rest, Span *nal)
{
	const uint8_t *end = rest->data + rest->size;
	const uint8_t *start = find_start_code(rest->data, end);
	const uint8_t *stop;

	if (start == end)
		return false;
	start += 3;
	stop = find_start_code(start, end);
	*rest = (Span){stop, end - stop};
	while (stop > start && stop[-1] == 0)
		stop--;
	*nal = (Span){start, stop - start};
	return true;
}

static bool
contains_nal(Span set, Span wanted)
{
	for (Span nal; next_nal(&set, &nal);)
		if (nal.size == wanted.size && memcmp(nal.data, wanted.data, nal.size) == 0)
			return true;
	return false;
}

/*
 * Do the parameter sets in force already say all that the new ones say?  The
 * same sets differ in bytes between an SDP and the stream.
 */
static bool
says_the_same(const AVCodecParameters *parameters, Span fresh)
{
	Span known = {parameters->extradata, parameters->extradata_size};
	bool annex_b =
		parameters->codec_id == AV_CODEC_ID_H264 || parameters->codec_id == AV_CODEC_ID_HEVC;

	if (known.size == fresh.size && memcmp(known.data, fresh.data, known.size) == 0)
		return true;
	if (!annex_b || known.size == 0 || known.data[0] == 1 || fresh.data[0] == 1)
		return false;
	for (Span nal; next_nal(&fresh, &nal);)
		if (!contains_nal(known, nal))
			return false;
	return true;
}

static int
set_extradata(AVCodecParameters *parameters, Span fresh)
{
	uint8_t *copy = av_mallocz(fresh.size + AV_INPUT_BUFFER_PADDING_SIZE);

	if (copy == NULL)
		return AVERROR(ENOMEM);
	memcpy(copy, fresh.data, fresh.size);
	av_freep(&parameters->extradata);
	parameters->extradata = copy;
	parameters->extradata_size = fresh.size;
	return 0;
}

/* Read the dimensions from a keyframe and the parameter sets in force. */
static int
measure(AVCodecParameters *parameters, const AVPacket *keyframe)
{
	const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
	AVCodecContext *context = avcodec_alloc_context3(codec);
	AVCodecParserContext *parser = av_parser_init(parameters->codec_id);
	uint8_t *data;
	int size;
	int result = AVERROR(ENOMEM);

	if (context == NULL || parser == NULL)
		goto done;
	result = avcodec_parameters_to_context(context, parameters);
	if (result < 0)
		goto done;
	parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
	av_parser_parse2(parser, context, &data, &size, keyframe->data, keyframe->size, AV_NOPTS_VALUE,
					 AV_NOPTS_VALUE, 0);
	if (parser->width > 0 && parser->height > 0)
	{
		parameters->width = parser->width;
		parameters->height = parser->height;
	}
done:
	av_parser_close(parser);
	avcodec_free_context(&context);
	return result;
}

/*
 * How a JPEG's colours are sampled, by the components of its frame header, which
 * begin with their number; AV_PIX_FMT_NONE: as no camera does, or not known.
 */
static enum AVPixelFormat
jpeg_format(Span components)
{
	if (components.size < 10 || components.data[0] != 3 || components.data[5] != 0x11 ||
		components.data[8] != 0x11)
		return AV_PIX_FMT_NONE;
	switch (components.data[2])
	{
		case 0x22:
			return AV_PIX_FMT_YUVJ420P;
		case 0x21:
			return AV_PIX_FMT_YUVJ422P;
		default:
			return AV_PIX_FMT_NONE;
	}
}

/* Read dimensions and format from the frame header (SOF) of a JPEG; false: none found. */
static bool
measure_jpeg(Span jpeg, int *width, int *height, enum AVPixelFormat *format)
{
	size_t i = 2;

	while (i + 9 <= jpeg.size && jpeg.data[i] == 0xff)
	{
		int marker = jpeg.data[i + 1];

		if (marker >= 0xc0 && marker <= 0xc3)
		{
			*height = AV_RB16(jpeg.data + i + 5);
			*width = AV_RB16(jpeg.data + i + 7);
			*format = jpeg_format((Span){jpeg.data + i + 9, jpeg.size - i - 9});
			return *width > 0 && *height > 0;
		}
		i += marker == 0xff ? 1 : 2 + AV_RB16(jpeg.data + i + 2);
	}
	return false;
}

static int
update_jpeg(AVCodecParameters *parameters, const AVPacket *keyframe)
{
	int width;
	int height;
	enum AVPixelFormat format;
	bool known = parameters->width > 0;

	if (!measure_jpeg((Span){keyframe->data, keyframe->size}, &width, &height, &format))
		return 0;
	/* A server is sent nothing by libavformat unless it knows. */
	if (parameters->format == AV_PIX_FMT_NONE)
		parameters->format = format;
	if (width == parameters->width && height == parameters->height)
		return 0;
	parameters->width = width;
	parameters->height = height;
	return known;
}

/*
 * Find the parameter sets that come with a keyframe.  They lie in the packet or
 * in header->scratch.  *fresh is empty when it brings none.
 */
static int
find_parameter_sets(VideoHeader *header, const AVPacket *keyframe, Span *fresh)
{
	int result;

	*fresh = (Span){0};
	fresh->data = av_packet_get_side_data(keyframe, AV_PKT_DATA_NEW_EXTRADATA, &fresh->size);
	if (fresh->size > 0 || header->extract == NULL)
		return 0;
	result = av_packet_ref(header->scratch, keyframe);
	if (result < 0)
		return result;
	result = av_bsf_send_packet(header->extract, header->scratch);
	if (result < 0)
	{
		av_packet_unref(header->scratch);
		return 0;
	}
	if (av_bsf_receive_packet(header->extract, header->scratch) == 0)
		fresh->data =
			av_packet_get_side_data(header->scratch, AV_PKT_DATA_NEW_EXTRADATA, &fresh->size);
	return 0;
}

int
video_header_update(VideoHeader *header, const AVPacket *keyframe)
{
	AVCodecParameters *parameters = header->parameters;
	bool known = parameters->extradata_size > 0;
	bool changed = false;
	Span fresh;
	int result;

	if (parameters->codec_id == AV_CODEC_ID_MJPEG)
		return update_jpeg(parameters, keyframe);
	result = find_parameter_sets(header, keyframe, &fresh);
	if (result == 0 && fresh.size > 0 && !says_the_same(parameters, fresh))
	{
		result = set_extradata(parameters, fresh);
		changed = known;
	}
	if (result == 0 && (changed || parameters->width <= 0))
		result = measure(parameters, keyframe);
	av_packet_unref(header->scratch);
	return result < 0 ? result : changed;
}

bool
video_header_complete(const VideoHeader *header)
{
	const AVCodecParameters *parameters = header->parameters;

	return parameters->width > 0 && parameters->height > 0 &&
		   (parameters->codec_id == AV_CODEC_ID_MJPEG || parameters->extradata_size > 0);
}

const AVCodecParameters *
video_header_parameters(const VideoHeader *header)
{
	return header->parameters;
}
