/*
 * source.c
 *		Open a camera's URL and read its packets.
 */
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <libavdevice/avdevice.h>
#include <libavutil/time.h>

#include "clock.h"
#include "log.h"
#include "network_guard.h"

/* Enough to recognise a container; more only delays the start. */
#define PROBE_BYTES "1000000"
#define ANALYZE_US "2000000"

/* A protocol's own time-out may fire this much before ours. */
#define TIMEOUT_SLACK_US (CLOCK_SECOND / 4)

/* What a polite goodbye to a server may take. */
#define CLOSE_US (CLOCK_SECOND / 5)

/* Later than this, or so far ahead of the packet before: the pace is set anew. */
#define PACE_LATE_US CLOCK_SECOND
#define PACE_AHEAD_US (2 * CLOCK_SECOND)
#define PACE_STEP_US (CLOCK_SECOND / 20)

/* How often a device is asked whether it has a picture. */
#define DEVICE_POLL_US (CLOCK_SECOND / 200)

/* RTSP keeps user:password, percent-encoded, in a buffer of 128 bytes. */
#define RTSP_MAX_CREDENTIALS 127

struct Source
{
	UrlKind kind;
	bool anonymous; /* no user name was given */
	AVFormatContext *format;
	AVStream *video;
	AVStream *audio; /* NULL: none, or not asked for */
	const atomic_bool *stop;
	bool timed_out;
	bool closing; /* stop no longer interrupts: see source_close */
	int64_t deadline_us;
	int64_t pace_us; /* of HLS: monotonic clock minus timestamps, 0: not set */
};

static int
interrupted(void *arg)
{
	Source *source = arg;

	if (*source->stop && !source->closing)
		return 1;
	if (clock_monotonic_us() >= source->deadline_us)
		source->timed_out = true;
	return source->timed_out;
}

bool
source_live(const Source *source)
{
	return source->kind != URL_FILE;
}

const AVStream *
source_video(const Source *source)
{
	return source->video;
}

const AVStream *
source_audio(const Source *source)
{
	return source->audio;
}

PacketKind
source_packet_kind(const Source *source, const AVPacket *packet)
{
	return packet->stream_index == source->video->index ? PACKET_VIDEO : PACKET_AUDIO;
}

/* Pictures in a row over HTTP carry none; libavformat makes up 25 a second. */
bool
source_has_timestamps(const Source *source)
{
	static const char *const timeless[] = {"mpjpeg", "mjpeg", "h264", "hevc", "m4v"};

	if (!source_live(source))
		return true;
	for (size_t i = 0; i < sizeof(timeless) / sizeof(timeless[0]); i++)
		if (strcmp(source->format->iformat->name, timeless[i]) == 0)
			return false;
	return true;
}

/* Tell a person what an AVERROR code means for a camera. */
static SourceResult
explain_code(const Source *source, int code, char *reason, size_t size)
{
	char text[AV_ERROR_MAX_STRING_SIZE];
	const char *detail = log_ffmpeg_error();

	if (*source->stop)
	{
		snprintf(reason, size, "stopped");
		return SOURCE_STOPPED;
	}
	/* A time-out inside a protocol takes many shapes by the time it gets here. */
	if (source->timed_out || clock_monotonic_us() >= source->deadline_us - TIMEOUT_SLACK_US)
		code = AVERROR(ETIMEDOUT);
	switch (code)
	{
		case AVERROR_HTTP_UNAUTHORIZED:
			snprintf(reason, size, "%s (401)",
					 source->anonymous ? "it asks for a user name and password"
									   : "the user name or password is wrong");
			return SOURCE_WRONG;
		case AVERROR_HTTP_FORBIDDEN:
			snprintf(reason, size, "access is forbidden (403)");
			return SOURCE_WRONG;
		case AVERROR_HTTP_NOT_FOUND:
			snprintf(reason, size, "the server has no such stream (404)");
			return SOURCE_WRONG;
		case AVERROR_STREAM_NOT_FOUND:
			snprintf(reason, size, "there is no video stream");
			return SOURCE_WRONG;
		case AVERROR_PROTOCOL_NOT_FOUND:
			snprintf(reason, size, "the stream asks for a protocol that is not allowed here");
			return SOURCE_WRONG;
		case AVERROR_EOF:
			/* A file that ends in its header. */
			if (source->kind == URL_FILE && source->video == NULL)
			{
				code = AVERROR_INVALIDDATA;
				break;
			}
			snprintf(reason, size, "the stream ended");
			return SOURCE_LOST;
		case AVERROR_HTTP_BAD_REQUEST:
		case AVERROR_HTTP_OTHER_4XX:
			snprintf(reason, size, "the server refuses the request (4xx)");
			return SOURCE_LOST;
		case AVERROR_HTTP_SERVER_ERROR:
			snprintf(reason, size, "the server reports an error of its own (5xx)");
			return SOURCE_LOST;
		case AVERROR(ECONNREFUSED):
			snprintf(reason, size, "connection refused");
			return SOURCE_LOST;
		case AVERROR_EXIT:
		case AVERROR(ETIMEDOUT):
			snprintf(reason, size, "no answer in time");
			return SOURCE_LOST;
	}
	av_strerror(code, text, sizeof(text));
	if (source->kind == URL_DEVICE && source->video != NULL)
	{
		snprintf(reason, size, "the device has failed: %s", text);
		return SOURCE_LOST;
	}
	if (source->kind == URL_FILE || source->kind == URL_DEVICE)
	{
		/* A format that is not let in, such as a picture, is an invalid argument. */
		if (code == AVERROR_INVALIDDATA || (code == AVERROR(EINVAL) && source->kind == URL_FILE))
			snprintf(reason, size, "not a video file that can be read");
		else
			snprintf(reason, size, "cannot be opened: %s", text);
		return code == AVERROR(ENOMEM) ? SOURCE_LOST : SOURCE_WRONG;
	}
	/* A format that is not let in, such as a single picture. */
	if (code == AVERROR(EINVAL) && source->video == NULL)
	{
		snprintf(reason, size, "what the server sends is not a video stream");
		return SOURCE_WRONG;
	}
	if (code == AVERROR_INVALIDDATA)
		snprintf(reason, size, "%s",
				 source->video != NULL ? "the stream broke off"
									   : "what the server sends is not a video stream");
	else if (*detail != '\0' && code == AVERROR(EIO))
		snprintf(reason, size, "%s", detail);
	else
		snprintf(reason, size, "%s", text);
	return SOURCE_LOST;
}

/* The same; an address that was refused is why, or may be. */
static SourceResult
explain(const Source *source, int code, char *reason, size_t size)
{
	SourceResult result = explain_code(source, code, reason, size);

	if (result == SOURCE_STOPPED || *network_refusal() == '\0')
		return result;
	if (code == AVERROR(EACCES) || code == AVERROR(EIO))
	{
		snprintf(reason, size, "%s", network_refusal());
		return SOURCE_WRONG;
	}
	network_add_refusal(reason, size);
	return result;
}

/* Does path, links resolved, lie in one of the directories (or equal one)? */
static bool
lies_in(const char *path, const StringList *directories)
{
	for (int i = 0; i < directories->count; i++)
	{
		char *directory = realpath(directories->items[i], NULL);
		size_t length = directory != NULL ? strlen(directory) : 0;
		bool inside = length > 0 && strncmp(path, directory, length) == 0 &&
					  (path[length] == '\0' || path[length] == '/' || length == 1);

		free(directory);
		if (inside)
			return true;
	}
	return false;
}

/* What to give to libavformat for a local path: malloc'd, or NULL with a reason. */
static char *
local_name(const char *path, UrlKind kind, const StringList *source_paths, char *reason,
		   size_t size)
{
	char *real = realpath(path, NULL);
	char *name = NULL;
	struct stat status;

	if (real == NULL && errno != EACCES)
		snprintf(reason, size, "cannot be opened: %s", strerror(errno));
	else if (real == NULL || (source_paths != NULL && !lies_in(real, source_paths)))
		snprintf(reason, size, "the file is outside cctv.source_paths");
	/* A pipe that nobody writes to could not be given up. */
	else if (kind == URL_FILE && (stat(real, &status) != 0 || !S_ISREG(status.st_mode)))
		snprintf(reason, size, "not a regular file");
	else if (kind == URL_DEVICE)
		name = strdup(real);
	else if ((name = malloc(strlen(real) + sizeof("file:"))) != NULL)
		sprintf(name, "file:%s", real);
	free(real);
	return name;
}

static char *
remote_name(const CameraConfig *config, UrlKind kind, char *reason, size_t size)
{
	char *name = url_with_credentials(config->url, config->username, config->password);

	if (name != NULL && kind == URL_RTSP &&
		strlen(name) - strlen(config->url) > RTSP_MAX_CREDENTIALS)
	{
		snprintf(reason, size, "the user name and password are too long for RTSP");
		free(name);
		return NULL;
	}
	if (name == NULL)
		snprintf(reason, size, "out of memory");
	return name;
}

static AVDictionary *
options_for(UrlKind kind, const CameraConfig *config, int64_t timeout_us)
{
	AVDictionary *options = NULL;

	av_dict_set(&options, "format_whitelist", url_formats(kind), 0);
	if (url_protocols(kind) != NULL)
		av_dict_set(&options, "protocol_whitelist", url_protocols(kind), 0);
	av_dict_set(&options, "probesize", PROBE_BYTES, 0);
	av_dict_set(&options, "analyzeduration", ANALYZE_US, 0);
	av_dict_set(&options, "fpsprobesize", "0", 0);
	if (kind == URL_RTSP)
	{
		av_dict_set(&options, "rtsp_transport", config->udp ? "udp" : "tcp", 0);
		av_dict_set(&options, "allowed_media_types", config->sound ? "video+audio" : "video", 0);
		/* A key frame arrives in one burst; the default buffer loses half. */
		if (config->udp)
			av_dict_set(&options, "buffer_size", "1048576", 0);
	}
	if (kind == URL_RTSP || kind == URL_HTTP)
	{
		av_dict_set_int(&options, "timeout", timeout_us, 0);
		av_dict_set(&options, "user_agent", "pg_cctv/" CCTV_VERSION, 0);
	}
	return options;
}

/* The demuxer that the kind of URL implies; NULL: find out from the content. */
static const AVInputFormat *
format_for(UrlKind kind)
{
	if (kind == URL_RTSP)
		return av_find_input_format("rtsp");
	if (kind == URL_DEVICE)
		return av_find_input_format("video4linux2");
	return NULL;
}

/*
 * RTSP, devices and multipart JPEG say what they carry before the first packet;
 * probing them would only delay the start.
 */
static bool
needs_probing(const Source *source)
{
	if (source->kind != URL_RTSP && source->kind != URL_DEVICE &&
		strcmp(source->format->iformat->name, "mpjpeg") != 0)
		return true;
	for (unsigned i = 0; i < source->format->nb_streams; i++)
		if (source->format->streams[i]->codecpar->codec_id == AV_CODEC_ID_NONE &&
			source->format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO)
			return true;
	return source->format->nb_streams == 0;
}

static bool
is_picture(const AVStream *stream)
{
	return (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
}

/*
 * Choose the first real video stream, and the first of sound if it is asked for;
 * tell libavformat to skip the rest.
 */
static int
choose_streams(Source *source, bool sound)
{
	for (unsigned i = 0; i < source->format->nb_streams; i++)
	{
		AVStream *stream = source->format->streams[i];

		if (source->video == NULL && !is_picture(stream) &&
			stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO)
			source->video = stream;
		else if (sound && source->audio == NULL &&
				 stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
			source->audio = stream;
		else
			stream->discard = AVDISCARD_ALL;
	}
	return source->video != NULL ? 0 : AVERROR_STREAM_NOT_FOUND;
}

static int
open_format(Source *source, const char *name, const CameraConfig *config, int64_t timeout_us)
{
	AVDictionary *options = options_for(source->kind, config, timeout_us);
	int code;

	source->format = avformat_alloc_context();
	if (source->format == NULL)
	{
		av_dict_free(&options);
		return AVERROR(ENOMEM);
	}
	source->format->interrupt_callback = (AVIOInterruptCB){interrupted, source};
	/* A driver that waits for a picture cannot be interrupted: do not let it wait. */
	if (source->kind == URL_DEVICE)
		source->format->flags |= AVFMT_FLAG_NONBLOCK;
	code = avformat_open_input(&source->format, name, format_for(source->kind), &options);
	av_dict_free(&options);
	if (code >= 0 && needs_probing(source))
		code = avformat_find_stream_info(source->format, NULL);
	if (code >= 0)
		code = choose_streams(source, config->sound);
	return code;
}

SourceResult
source_open(Source **opened, const CameraConfig *config, const StringList *source_paths,
			int64_t timeout_us, const atomic_bool *stop, char *reason, size_t reason_size)
{
	Source *source = calloc(1, sizeof(*source));
	SourceResult result = SOURCE_OK;
	char *name;
	int code;

	*opened = NULL;
	if (source == NULL)
	{
		snprintf(reason, reason_size, "out of memory");
		return SOURCE_LOST;
	}
	source->stop = stop;
	source->anonymous = config->username == NULL;
	source->deadline_us = clock_monotonic_us() + timeout_us;
	if (!url_classify(config->url, &source->kind, reason, reason_size))
	{
		free(source);
		return SOURCE_WRONG;
	}
	if (source->kind == URL_FILE || source->kind == URL_DEVICE)
		name = local_name(url_path(config->url), source->kind, source_paths, reason, reason_size);
	else
		name = remote_name(config, source->kind, reason, reason_size);
	if (name == NULL)
	{
		free(source);
		return SOURCE_WRONG;
	}
	log_forget_ffmpeg_error();
	network_forget_refusal();
	code = open_format(source, name, config, timeout_us);
	free(name);
	if (code < 0)
		result = explain(source, code, reason, reason_size);
	if (result == SOURCE_OK)
		*opened = source;
	else
		source_close(source);
	return result;
}

/*
 * An RTSP server should hear TEARDOWN even if the camera is being stopped, or it
 * goes on sending UDP for a minute.
 */
void
source_close(Source *source)
{
	if (source == NULL)
		return;
	source->closing = true;
	source->timed_out = false;
	source->deadline_us = clock_monotonic_us() + CLOSE_US;
	avformat_close_input(&source->format);
	free(source);
}

/*
 * Does it come faster than it is to be seen?  HLS comes in segments, some of them
 * at once; a recording over HTTP, which knows how long it is, as fast as it can.
 */
static bool
comes_in_a_rush(const Source *source)
{
	return strcmp(source->format->iformat->name, "hls") == 0 ||
		   (source->kind == URL_HTTP && source->format->duration > 0);
}

/*
 * Hold a packet back until its time, or a camera of five frames a second would be
 * a rush of frames every few seconds.
 */
static void
keep_pace(Source *source, const AVPacket *packet)
{
	int64_t stamp = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
	int64_t now = clock_monotonic_us();
	int64_t ahead;

	if (!comes_in_a_rush(source) || stamp == AV_NOPTS_VALUE ||
		packet->stream_index != source->video->index)
		return;
	stamp = av_rescale_q(stamp, source->video->time_base, AV_TIME_BASE_Q);
	ahead = source->pace_us + stamp - now;
	if (source->pace_us == 0 || ahead < -PACE_LATE_US || ahead > PACE_AHEAD_US)
		source->pace_us = now - stamp;
	while (source->pace_us + stamp > now && !interrupted(source))
	{
		ahead = source->pace_us + stamp - now;
		av_usleep(ahead < PACE_STEP_US ? ahead : PACE_STEP_US);
		now = clock_monotonic_us();
	}
}

SourceResult
source_read(Source *source, AVPacket *packet, int64_t deadline_us, char *reason, size_t reason_size)
{
	source->deadline_us = source_live(source) ? deadline_us : INT64_MAX;
	for (;;)
	{
		int code = *source->stop ? AVERROR_EXIT : av_read_frame(source->format, packet);

		if (code == AVERROR(EAGAIN) && !interrupted(source))
		{
			if (source->kind == URL_DEVICE)
				av_usleep(DEVICE_POLL_US);
			continue;
		}
		/* What a parser still held when it was cut off is no sign of life. */
		if (code >= 0 && source->timed_out)
		{
			av_packet_unref(packet);
			code = AVERROR(ETIMEDOUT);
		}
		if (code >= 0 && (packet->stream_index == source->video->index ||
						  (source->audio != NULL && packet->stream_index == source->audio->index)))
		{
			keep_pace(source, packet);
			network_forget_refusal();
			return SOURCE_OK;
		}
		if (code >= 0)
		{
			av_packet_unref(packet);
			continue;
		}
		if (!source_live(source) && !*source->stop)
		{
			/* Recordings often end in the middle of a packet. */
			if (code != AVERROR_EOF)
				log_warning("the file ends early: %s", av_err2str(code));
			return SOURCE_END;
		}
		return explain(source, code, reason, reason_size);
	}
}
