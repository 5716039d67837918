/*
 * sink.c
 *		A server that takes a stream: RTSP, RTMP or SRT.
 */
#define _GNU_SOURCE
#include "sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#include "clock.h"
#include "log.h"
#include "network_guard.h"
#include "url.h"

/* What a polite goodbye to a server may take. */
#define CLOSE_US (CLOCK_SECOND / 5)

#define MAX_CODECS 12

/* RTP tells the size of a JPEG in eighths, in a byte each (RFC 2435, 3.1). */
#define RTP_JPEG_MOST 2040

/* So many pictures in a row that libavformat will not send are no accident. */
#define REFUSED_MOST 5

/* How a kind of URL is published to, and what it can carry; AV_CODEC_ID_NONE ends. */
typedef struct Protocol
{
	const char *schemes[2];
	const char *format;	   /* libavformat's name */
	const char *whitelist; /* of its protocols */
	enum AVCodecID codecs[MAX_CODECS];
} Protocol;

static const Protocol protocols[] = {
	{{"rtsp", "rtsps"},
	 "rtsp",
	 "rtp,tcp,tls",
	 {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_MJPEG, AV_CODEC_ID_MPEG4, AV_CODEC_ID_AAC,
	  AV_CODEC_ID_PCM_MULAW, AV_CODEC_ID_PCM_ALAW, AV_CODEC_ID_OPUS, AV_CODEC_ID_MP3,
	  AV_CODEC_ID_ADPCM_G722}},
	{{"rtmp", "rtmps"},
	 "flv",
	 "rtmp,rtmps,tcp,tls",
	 {AV_CODEC_ID_H264, AV_CODEC_ID_AAC, AV_CODEC_ID_MP3, AV_CODEC_ID_PCM_MULAW,
	  AV_CODEC_ID_PCM_ALAW}},
	{{"srt", "srt"},
	 "mpegts",
	 "srt",
	 {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_MPEG4, AV_CODEC_ID_AAC, AV_CODEC_ID_MP3,
	  AV_CODEC_ID_OPUS}},
};

struct Sink
{
	const Protocol *protocol;
	AVFormatContext *format;
	AVStream *streams[PACKET_KINDS];
	const atomic_bool *stop;
	bool anonymous; /* no user name was given */
	bool begun;		/* the server knows of the stream */
	bool closing;	/* stop no longer interrupts: see sink_close */
	bool timed_out;
	int refused; /* pictures in a row that were not sent */
	int64_t deadline_us;
};

static int
interrupted(void *arg)
{
	Sink *sink = arg;

	if (*sink->stop && !sink->closing)
		return 1;
	if (clock_monotonic_us() >= sink->deadline_us)
		sink->timed_out = true;
	return sink->timed_out;
}

static const Protocol *
find_protocol(const char *url)
{
	const char *end = strstr(url, "://");

	for (size_t i = 0; end != NULL && i < sizeof(protocols) / sizeof(protocols[0]); i++)
		for (int j = 0; j < 2; j++)
		{
			const char *scheme = protocols[i].schemes[j];

			if (strlen(scheme) == (size_t) (end - url) && strncasecmp(url, scheme, end - url) == 0)
				return &protocols[i];
		}
	return NULL;
}

bool
sink_supports(const char *url, char *reason, size_t reason_size)
{
	if (find_protocol(url) != NULL)
		return true;
	snprintf(reason, reason_size,
			 "nothing is published there: use rtsp://, rtsps://, rtmp://, rtmps:// or srt://");
	return false;
}

static bool
carries(const Protocol *protocol, enum AVCodecID codec)
{
	for (int i = 0; i < MAX_CODECS && protocol->codecs[i] != AV_CODEC_ID_NONE; i++)
		if (protocol->codecs[i] == codec)
			return true;
	return false;
}

/* Can the protocol carry this video?  If not the reason says what can be done. */
static bool
carries_video(const Protocol *protocol, const AVCodecParameters *video, char *reason, size_t size)
{
	if (!carries(protocol, video->codec_id))
		snprintf(reason, size, "%s cannot carry %s; annotated it would be H.264",
				 protocol->schemes[0], avcodec_get_name(video->codec_id));
	else if (video->codec_id == AV_CODEC_ID_MJPEG &&
			 (video->width > RTP_JPEG_MOST || video->height > RTP_JPEG_MOST))
		snprintf(reason, size,
				 "%s cannot carry motion JPEG of more than %d pixels; annotated it would be H.264",
				 protocol->schemes[0], RTP_JPEG_MOST);
	else
		return true;
	return false;
}

/* Tell a person what an AVERROR code means for a server. */
static SinkResult
explain(const Sink *sink, int code, char *reason, size_t size)
{
	const char *detail = log_ffmpeg_error();

	if (*sink->stop)
	{
		snprintf(reason, size, "stopped");
		return SINK_STOPPED;
	}
	if (*network_refusal() != '\0' && (code == AVERROR(EACCES) || code == AVERROR(EIO)))
	{
		snprintf(reason, size, "%s", network_refusal());
		return SINK_WRONG;
	}
	if (sink->timed_out)
		code = AVERROR(ETIMEDOUT);
	switch (code)
	{
		case AVERROR_HTTP_UNAUTHORIZED:
			snprintf(reason, size, "%s (401)",
					 sink->anonymous ? "the server asks for a user name and password"
									 : "the user name or password is wrong");
			return SINK_WRONG;
		case AVERROR_HTTP_FORBIDDEN:
			snprintf(reason, size, "the server forbids it (403)");
			return SINK_WRONG;
		case AVERROR_HTTP_NOT_FOUND:
			snprintf(reason, size, "the server has no such path (404)");
			return SINK_WRONG;
		case AVERROR_HTTP_OTHER_4XX:
			snprintf(reason, size, "the server does not take a stream there%s%s",
					 *detail != '\0' ? ": " : "", detail);
			return SINK_WRONG;
		case AVERROR_PROTOCOL_NOT_FOUND:
			snprintf(reason, size, "this FFmpeg cannot publish to such a URL");
			return SINK_WRONG;
		case AVERROR(ECONNREFUSED):
			snprintf(reason, size, "connection refused");
			return SINK_LOST;
		case AVERROR_EOF:
		case AVERROR(EPIPE):
		case AVERROR(ECONNRESET):
		case AVERROR(EIO):
			if (!sink->begun)
				break;
			snprintf(reason, size, "the server closed the connection");
			return SINK_LOST;
		case AVERROR_EXIT:
		case AVERROR(ETIMEDOUT):
			snprintf(reason, size, "%s",
					 sink->begun ? "the server has stopped taking the stream"
								 : "no answer in time");
			return SINK_LOST;
	}
	snprintf(reason, size, "%s", *detail != '\0' ? detail : av_err2str(code));
	return SINK_LOST;
}

static int
add_stream(Sink *sink, PacketKind kind, const AVCodecParameters *parameters)
{
	AVStream *stream = avformat_new_stream(sink->format, NULL);
	int code;

	if (stream == NULL)
		return AVERROR(ENOMEM);
	code = avcodec_parameters_copy(stream->codecpar, parameters);
	/* The tag is the source's container's. */
	stream->codecpar->codec_tag = 0;
	stream->time_base = AV_TIME_BASE_Q;
	sink->streams[kind] = stream;
	return code;
}

/*
 * SRT knows no user names: servers take them from the streamid, in the words of
 * its access control guide or, more often, as its last two parts.
 */
static char *
streamid_of(const char *url, const char *username, const char *password)
{
	char *streamid = url_query(url, "streamid");
	const char *id = streamid != NULL ? streamid : "";
	bool guided = strncmp(id, "#!::", 4) == 0;
	char *whole = NULL;

	if (username == NULL || *username == '\0')
		return streamid;
	if (asprintf(&whole, guided ? "%s,u=%s,s=%s" : "%s:%s:%s", id, username,
				 password != NULL ? password : "") < 0)
		whole = NULL;
	free(streamid);
	return whole;
}

/* Options of SRT come from here alone: its query may ask for anything. */
static void
set_srt_options(AVDictionary **options, const char *url, const char *username, const char *password,
				int64_t timeout_us)
{
	char *streamid = streamid_of(url, username, password);

	av_dict_set(options, "mode", "caller", 0);
	av_dict_set_int(options, "connect_timeout", timeout_us / 1000, 0);
	av_dict_set_int(options, "timeout", timeout_us, 0);
	av_dict_set(options, "linger", "0", 0);
	if (streamid != NULL)
		av_dict_set(options, "streamid", streamid, 0);
	if ((username == NULL || *username == '\0') && password != NULL && *password != '\0')
		av_dict_set(options, "passphrase", password, 0);
	free(streamid);
}

/* What libavformat is given as the address: malloc'd. */
static char *
address_of(const Protocol *protocol, const char *url, const char *username, const char *password)
{
	if (strcmp(protocol->format, "mpegts") == 0)
		return strndup(url, strcspn(url, "?#"));
	return url_with_credentials(url, username, password);
}

/* Connect, where that is not the muxer's own business, and say what will come. */
static int
begin(Sink *sink, AVDictionary **connection, const char *address)
{
	AVDictionary *options = NULL;
	int code = 0;

	if ((sink->format->oformat->flags & AVFMT_NOFILE) == 0)
		code = avio_open2(&sink->format->pb, address, AVIO_FLAG_WRITE,
						  &sink->format->interrupt_callback, connection);
	if (code >= 0)
	{
		av_dict_set(&options, "flush_packets", "1", 0);
		if (strcmp(sink->protocol->format, "rtsp") == 0)
			av_dict_set(&options, "rtsp_transport", "tcp", 0);
		if (strcmp(sink->protocol->format, "flv") == 0)
			av_dict_set(&options, "flvflags", "no_duration_filesize", 0);
		code = avformat_write_header(sink->format, &options);
		av_dict_free(&options);
	}
	sink->begun = code >= 0;
	return code;
}

static int
open_format(Sink *sink, const char *url, const char *username, const char *password,
			const AVCodecParameters *const parameters[PACKET_KINDS], int64_t timeout_us)
{
	AVDictionary *connection = NULL;
	char *address = address_of(sink->protocol, url, username, password);
	int code = address != NULL ? 0 : AVERROR(ENOMEM);

	if (code >= 0)
		code = avformat_alloc_output_context2(&sink->format, NULL, sink->protocol->format, address);
	if (code >= 0)
	{
		sink->format->interrupt_callback = (AVIOInterruptCB){interrupted, sink};
		sink->format->max_delay = 0;
		code = av_opt_set(sink->format, "protocol_whitelist", sink->protocol->whitelist, 0);
	}
	for (int kind = 0; code >= 0 && kind < PACKET_KINDS; kind++)
		if (parameters[kind] != NULL)
			code = add_stream(sink, kind, parameters[kind]);
	if (code >= 0)
	{
		av_dict_set(&connection, "protocol_whitelist", sink->protocol->whitelist, 0);
		if (strcmp(sink->protocol->format, "mpegts") == 0)
			set_srt_options(&connection, url, username, password, timeout_us);
		code = begin(sink, &connection, address);
	}
	av_dict_free(&connection);
	free(address);
	return code;
}

SinkResult
sink_open(Sink **opened, const char *url, const char *username, const char *password,
		  const AVCodecParameters *const parameters[PACKET_KINDS], int64_t timeout_us,
		  const atomic_bool *stop, char *reason, size_t reason_size)
{
	const AVCodecParameters *carried[PACKET_KINDS] = {parameters[PACKET_VIDEO],
													  parameters[PACKET_AUDIO]};
	const Protocol *protocol = find_protocol(url);
	SinkResult result = SINK_OK;
	Sink *sink;
	int code;

	*opened = NULL;
	if (!sink_supports(url, reason, reason_size))
		return SINK_WRONG;
	if (!carries_video(protocol, carried[PACKET_VIDEO], reason, reason_size))
		return SINK_WRONG;
	if (carried[PACKET_AUDIO] != NULL && !carries(protocol, carried[PACKET_AUDIO]->codec_id))
	{
		log_warning("publishing without sound: %s cannot carry %s", protocol->schemes[0],
					avcodec_get_name(carried[PACKET_AUDIO]->codec_id));
		carried[PACKET_AUDIO] = NULL;
	}
	sink = calloc(1, sizeof(*sink));
	if (sink == NULL)
	{
		snprintf(reason, reason_size, "out of memory");
		return SINK_LOST;
	}
	sink->protocol = protocol;
	sink->stop = stop;
	sink->anonymous = username == NULL && password == NULL;
	sink->deadline_us = clock_monotonic_us() + timeout_us;
	log_forget_ffmpeg_error();
	network_forget_refusal();
	code = open_format(sink, url, username, password, carried, timeout_us);
	if (code < 0)
		result = explain(sink, code, reason, reason_size);
	if (result == SINK_OK)
		*opened = sink;
	else
		sink_close(sink);
	return result;
}

/*
 * Is what was just written of a kind that is never sent?  RTP carries JPEG only
 * with the usual Huffman tables and colours; libavformat says so of others,
 * drops them, and reports no error.
 */
static bool
is_refused(Sink *sink, const AVStream *stream)
{
	if (stream->codecpar->codec_id != AV_CODEC_ID_MJPEG)
		return false;
	sink->refused = *log_ffmpeg_error() != '\0' ? sink->refused + 1 : 0;
	return sink->refused >= REFUSED_MOST;
}

SinkResult
sink_write(Sink *sink, PacketKind kind, AVPacket *packet, int64_t deadline_us, char *reason,
		   size_t reason_size)
{
	AVStream *stream = sink->streams[kind];
	int code;

	sink->deadline_us = deadline_us;
	if (stream == NULL)
	{
		av_packet_unref(packet);
		return SINK_OK;
	}
	packet->stream_index = stream->index;
	av_packet_rescale_ts(packet, AV_TIME_BASE_Q, stream->time_base);
	packet->pos = -1;
	log_forget_ffmpeg_error();
	code = av_write_frame(sink->format, packet);
	av_packet_unref(packet);
	/* A protocol may swallow that it was interrupted. */
	if (code >= 0 && interrupted(sink))
		code = AVERROR_EXIT;
	if (code < 0)
		return explain(sink, code, reason, reason_size);
	if (!is_refused(sink, stream))
		return SINK_OK;
	snprintf(reason, reason_size,
			 "%s cannot carry this motion JPEG; annotated it would be H.264: %s",
			 sink->protocol->schemes[0], log_ffmpeg_error());
	return SINK_WRONG;
}

void
sink_close(Sink *sink)
{
	if (sink == NULL)
		return;
	sink->closing = true;
	sink->timed_out = false;
	sink->deadline_us = clock_monotonic_us() + CLOSE_US;
	if (sink->begun)
		av_write_trailer(sink->format);
	if (sink->format != NULL && (sink->format->oformat->flags & AVFMT_NOFILE) == 0)
		avio_closep(&sink->format->pb);
	avformat_free_context(sink->format);
	free(sink);
}
