/*
 * probe_trial.c
 *		One attempt: does this URL stream, and what?
 */
#include "probe_trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavformat/avformat.h>

#include "clock.h"
#include "decode.h"
#include "image.h"
#include "log.h"
#include "network_guard.h"
#include "source.h"
#include "timeline.h"

/* A rate is measured over this much time, or so many pictures. */
#define MEASURE_US CLOCK_SECOND
#define MEASURE_FRAMES 30

#define MAX_STILL (8 * 1024 * 1024)

/* ---- streams ---- */

/* Times of the first and the last picture so far. */
typedef struct Measure
{
	bool seen;	/* a picture */
	int frames; /* that have a time */
	int64_t first_us;
	int64_t last_us;
	int64_t begin_us; /* monotonic */
} Measure;

static bool
is_measured(const Measure *measure)
{
	return measure->frames >= MEASURE_FRAMES ||
		   (measure->frames > 1 && clock_monotonic_us() - measure->begin_us >= MEASURE_US);
}

static void
note_frame(Measure *measure, Source *source, int64_t pts_us)
{
	bool stamped = source_has_timestamps(source);
	int64_t at_us = stamped ? pts_us : clock_monotonic_us();

	measure->seen = true;
	/* RTSP's first pictures may have none. */
	if (stamped && pts_us == TIMELINE_NO_PTS)
		return;
	if (measure->frames++ == 0)
	{
		measure->first_us = at_us;
		measure->begin_us = clock_monotonic_us();
	}
	measure->last_us = at_us;
}

/* Decode what a packet (NULL: the end) gives.  Returns whether all is known. */
static bool
look_at_packet(Source *source, Decoder *decoder, const AVPacket *packet, AVFrame *frame,
			   Measure *measure, Trial *trial)
{
	int64_t pts_us;

	decoder_send(decoder, packet);
	while (decoder_receive(decoder, frame, &pts_us))
	{
		note_frame(measure, source, pts_us);
		trial->width = frame->width;
		trial->height = frame->height;
		av_frame_unref(frame);
	}
	return measure->seen && (decoder_duration_us(decoder) > 0 || is_measured(measure));
}

/* Read until a picture has come and the rate is known. */
static void
read_stream(Source *source, Decoder *decoder, const TrialTerms *terms, Trial *trial)
{
	AVPacket *packet = av_packet_alloc();
	AVFrame *frame = av_frame_alloc();
	Measure measure = {0};
	SourceResult result = SOURCE_OK;
	bool known = false;

	snprintf(trial->reason, TRIAL_REASON, "no picture came");
	while (packet != NULL && frame != NULL && !known && clock_monotonic_us() < terms->deadline_us)
	{
		result =
			source_read(source, packet, terms->deadline_us, trial->reason, sizeof(trial->reason));
		if (result != SOURCE_OK)
			break;
		known = look_at_packet(source, decoder, packet, frame, &measure, trial);
		av_packet_unref(packet);
	}
	if (result == SOURCE_END && frame != NULL)
		look_at_packet(source, decoder, NULL, frame, &measure, trial);
	if (measure.seen)
	{
		trial->streams = true;
		snprintf(trial->codec, sizeof(trial->codec), "%s", decoder_codec(decoder));
		if (decoder_duration_us(decoder) > 0)
			trial->fps = (double) CLOCK_SECOND / decoder_duration_us(decoder);
		else if (measure.last_us > measure.first_us)
			trial->fps =
				(measure.frames - 1) * (double) CLOCK_SECOND / (measure.last_us - measure.first_us);
	}
	av_frame_free(&frame);
	av_packet_free(&packet);
}

void
trial_stream(const char *url, const TrialTerms *terms, Trial *trial)
{
	CameraConfig config = {.url = (char *) url,
						   .username = (char *) terms->username,
						   .password = (char *) terms->password};
	int64_t timeout_us = terms->deadline_us - clock_monotonic_us();
	Source *source;
	Decoder *decoder;

	if (timeout_us <= 0 || source_open(&source, &config, terms->source_paths, timeout_us,
									   terms->stop, trial->reason, TRIAL_REASON) != SOURCE_OK)
		return;
	decoder = decoder_open(source_video(source), trial->reason, TRIAL_REASON);
	if (decoder != NULL)
		read_stream(source, decoder, terms, trial);
	decoder_close(decoder);
	source_close(source);
}

/* ---- stills, and whether anybody is there ---- */

static int
interrupted(void *arg)
{
	const TrialTerms *terms = arg;

	return *terms->stop || clock_monotonic_us() >= terms->deadline_us;
}

/* What an AVERROR code means of an address that is tried; NULL: nothing special. */
static const char *
answer_text(int code)
{
	switch (code)
	{
		case AVERROR_HTTP_UNAUTHORIZED:
			return "the user name or password is wrong (401)";
		/* Without its number, for which trial_was_denied() looks: other addresses may be open. */
		case AVERROR_HTTP_FORBIDDEN:
			return "access to it is forbidden";
		case AVERROR_HTTP_NOT_FOUND:
			return "there is nothing at this address (404)";
		case AVERROR_HTTP_BAD_REQUEST:
		case AVERROR_HTTP_OTHER_4XX:
			return "the server refuses the request (4xx)";
		case AVERROR_HTTP_SERVER_ERROR:
			return "the server reports an error of its own (5xx)";
		case AVERROR(ECONNREFUSED):
			return "connection refused";
		case AVERROR(ETIMEDOUT):
		case AVERROR_EXIT:
			return "no answer in time";
		default:
			return NULL;
	}
}

/* Open a URL for reading, as libavformat does it; NULL with a reason. */
static AVIOContext *
open_url(const char *url, const char *protocols, const TrialTerms *terms, Trial *trial)
{
	AVIOInterruptCB interrupt = {interrupted, (void *) terms};
	AVDictionary *options = NULL;
	AVIOContext *io = NULL;
	int64_t left_us = terms->deadline_us - clock_monotonic_us();
	int code;

	log_forget_ffmpeg_error();
	network_forget_refusal();
	av_dict_set_int(&options, "timeout", left_us > 0 ? left_us : 1, 0);
	av_dict_set(&options, "protocol_whitelist", protocols, 0);
	code = avio_open2(&io, url, AVIO_FLAG_READ, &interrupt, &options);
	av_dict_free(&options);
	if (code >= 0)
		return io;
	if (*network_refusal() != '\0' && (code == AVERROR(EACCES) || code == AVERROR(EIO)))
		snprintf(trial->reason, TRIAL_REASON, "%s", network_refusal());
	else if (answer_text(code) != NULL)
		snprintf(trial->reason, TRIAL_REASON, "%s", answer_text(code));
	else if (code == AVERROR(EIO) && *log_ffmpeg_error() != '\0')
		snprintf(trial->reason, TRIAL_REASON, "%s", log_ffmpeg_error());
	else
		av_strerror(code, trial->reason, TRIAL_REASON);
	return NULL;
}

static void
read_still(AVIOContext *io, Trial *trial)
{
	unsigned char *bytes = malloc(MAX_STILL);
	AVFrame *frame = NULL;
	ImageInfo info;
	int length = bytes != NULL ? avio_read(io, bytes, MAX_STILL) : -1;

	if (length < 0)
		snprintf(trial->reason, TRIAL_REASON, "no picture came");
	else if (image_decode(bytes, (size_t) length, 1, &frame, &info, trial->reason, TRIAL_REASON) ==
			 IMAGE_OK)
	{
		trial->streams = true;
		trial->width = info.width;
		trial->height = info.height;
		snprintf(trial->codec, sizeof(trial->codec), "%s", bytes[0] == 0xff ? "mjpeg" : "png");
	}
	av_frame_free(&frame);
	free(bytes);
}

void
trial_still(const char *url, const TrialTerms *terms, Trial *trial)
{
	char *full = url_with_credentials(url, terms->username, terms->password);
	AVIOContext *io = full != NULL ? open_url(full, url_protocols(URL_HTTP), terms, trial) : NULL;

	if (io != NULL)
		read_still(io, trial);
	avio_closep(&io);
	free(full);
}

void
trial_knock(const char *url, const TrialTerms *terms, Trial *trial)
{
	char host[256];
	char address[320];
	char scheme[16];
	int port;
	AVIOContext *io;

	av_url_split(scheme, sizeof(scheme), NULL, 0, host, sizeof(host), &port, NULL, 0, url);
	if (port < 0)
		port = strcmp(scheme, "rtsp") == 0 ? 554 : 80;
	snprintf(address, sizeof(address), strchr(host, ':') != NULL ? "tcp://[%s]:%d" : "tcp://%s:%d",
			 host, port);
	io = open_url(address, "tcp", terms, trial);
	trial->streams = io != NULL;
	avio_closep(&io);
}

/* The words are source.c's. */
bool
trial_was_denied(const Trial *trial)
{
	return strstr(trial->reason, "(401)") != NULL || strstr(trial->reason, "(403)") != NULL;
}

bool
trial_timed_out(const Trial *trial)
{
	return strcmp(trial->reason, "no answer in time") == 0;
}
