/*
 * log.c
 *		The one funnel for messages: the engine's own and FFmpeg's, redacted and
 *		rate-limited.
 *
 * A hostile or broken stream makes a decoder complain on every packet, so each
 * place that speaks (a format string) has an allowance per camera.
 */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <libavutil/log.h>

#include "clock.h"
#include "redact.h"
#include "thread.h"

#define ALLOWANCE 5
#define ALLOWANCE_PERIOD_US (10 * CLOCK_SECOND)
#define ALLOWANCE_SLOTS 256
#define ALLOWANCE_WAYS 8 /* slots that may hold the same place's */

/* What one place has said about one camera in the current period. */
typedef struct Allowance
{
	const char *format;
	int camera_id;
	int64_t period_start_us;
	int said;
	int suppressed;
} Allowance;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static Allowance allowances[ALLOWANCE_SLOTS];
static LogSink log_sink;
static void *log_sink_arg;
static _Atomic LogLevel log_level = LOG_LEVEL_INFO;

/* FFmpeg writes a line in pieces; each thread collects its own. */
static _Thread_local char ffmpeg_line[LOG_MESSAGE];
static _Thread_local int ffmpeg_print_prefix = 1;
static _Thread_local char ffmpeg_error[256];
static _Thread_local bool ffmpeg_muted;

void
log_set_sink(LogSink sink, void *arg)
{
	pthread_mutex_lock(&log_lock);
	log_sink = sink;
	log_sink_arg = arg;
	pthread_mutex_unlock(&log_lock);
}

void
log_set_level(LogLevel level)
{
	log_level = level;
}

const char *
log_level_name(LogLevel level)
{
	return level_names[level];
}

bool
log_level_parse(const char *name, LogLevel *level)
{
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++)
	{
		if (strcmp(name, level_names[i]) == 0)
		{
			*level = i;
			return true;
		}
	}
	return false;
}

static Allowance *
find_allowance(const char *format, int camera_id)
{
	uintptr_t hash = ((uintptr_t) format >> 3) * 31 + (unsigned) camera_id * 2654435761u;
	Allowance *set = &allowances[hash % (ALLOWANCE_SLOTS / ALLOWANCE_WAYS) * ALLOWANCE_WAYS];
	Allowance *oldest = set;

	for (Allowance *slot = set; slot < set + ALLOWANCE_WAYS; slot++)
	{
		if (slot->format == format && slot->camera_id == camera_id)
			return slot;
		if (slot->period_start_us < oldest->period_start_us)
			oldest = slot;
	}
	*oldest = (Allowance){.format = format, .camera_id = camera_id};
	return oldest;
}

/*
 * May this place speak now?  *suppressed is how often it was silenced since it
 * last spoke.
 */
static bool
allowed(const char *format, int camera_id, int *suppressed)
{
	Allowance *slot = find_allowance(format, camera_id);
	int64_t now = clock_monotonic_us();

	if (slot->said == 0 || now - slot->period_start_us > ALLOWANCE_PERIOD_US)
	{
		slot->period_start_us = now;
		slot->said = 0;
	}
	if (slot->said >= ALLOWANCE)
	{
		slot->suppressed++;
		return false;
	}
	slot->said++;
	*suppressed = slot->suppressed;
	slot->suppressed = 0;
	return true;
}

static void
write_stderr(LogLevel level, int camera_id, const char *message)
{
	char now[CLOCK_TEXT];

	clock_format(clock_wall_us(), now);
	if (camera_id != 0)
		fprintf(stderr, "%s %s: camera %d: %s\n", now, level_names[level], camera_id, message);
	else
		fprintf(stderr, "%s %s: %s\n", now, level_names[level], message);
}

/* Redact a message and hand it to the sink, if its place may speak. */
static void
deliver(LogLevel level, const char *format, const char *message)
{
	char clean[LOG_MESSAGE];
	int camera_id = thread_camera();
	int suppressed = 0;
	size_t length;

	redact(message, clean, sizeof(clean));
	pthread_mutex_lock(&log_lock);
	if (allowed(format, camera_id, &suppressed))
	{
		length = strlen(clean);
		if (suppressed > 0)
			snprintf(clean + length, sizeof(clean) - length, " (%d more like this suppressed)",
					 suppressed);
		if (log_sink != NULL)
			log_sink(log_sink_arg, level, camera_id, clean);
		else
			write_stderr(level, camera_id, clean);
	}
	pthread_mutex_unlock(&log_lock);
}

void
log_write(LogLevel level, const char *format, ...)
{
	char message[LOG_MESSAGE];
	va_list args;

	if (level > log_level)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	deliver(level, format, message);
}

/*
 * FFmpeg calls "error" what is everyday on a lossy network, and "info" what
 * concerns nobody.
 */
static LogLevel
ffmpeg_level(int level)
{
	if (level <= AV_LOG_FATAL)
		return LOG_LEVEL_ERROR;
	if (level <= AV_LOG_ERROR)
		return LOG_LEVEL_WARNING;
	return LOG_LEVEL_DEBUG;
}

/* Keep what was said, without the prefix that names FFmpeg's objects. */
static void
remember_error(const char *format, va_list args)
{
	char message[LOG_MESSAGE];
	va_list copy;

	va_copy(copy, args);
	vsnprintf(message, sizeof(message), format, copy);
	va_end(copy);
	message[strcspn(message, "\n")] = '\0';
	redact(message, ffmpeg_error, sizeof(ffmpeg_error));
}

/* "[rtsp @ 0x55...] text" becomes "[rtsp] text": addresses help only intruders. */
static void
remove_address(char *line)
{
	char *at = strstr(line, " @ 0x");
	char *end = at != NULL ? strchr(at, ']') : NULL;

	if (line[0] == '[' && end != NULL)
		memmove(at, end, strlen(end) + 1);
}

static void
on_ffmpeg_log(void *context, int level, const char *format, va_list args)
{
	char piece[LOG_MESSAGE];
	size_t used;

	if (level < 0 || level > AV_LOG_INFO)
		return;
	if (level <= AV_LOG_ERROR)
		remember_error(format, args);
	if (ffmpeg_muted || ffmpeg_level(level) > log_level)
		return;
	av_log_format_line2(context, level, format, args, piece, sizeof(piece), &ffmpeg_print_prefix);
	used = strlen(ffmpeg_line);
	snprintf(ffmpeg_line + used, sizeof(ffmpeg_line) - used, "%s", piece);
	used = strlen(ffmpeg_line);
	if (used == 0 || (ffmpeg_line[used - 1] != '\n' && used < sizeof(ffmpeg_line) - 1))
		return;
	if (ffmpeg_line[used - 1] == '\n')
		ffmpeg_line[used - 1] = '\0';
	remove_address(ffmpeg_line);
	deliver(ffmpeg_level(level), format, ffmpeg_line);
	ffmpeg_line[0] = '\0';
}

void
log_capture_ffmpeg(void)
{
	av_log_set_level(AV_LOG_INFO);
	av_log_set_callback(on_ffmpeg_log);
}

const char *
log_ffmpeg_error(void)
{
	return ffmpeg_error;
}

void
log_mute_ffmpeg(void)
{
	ffmpeg_muted = true;
}

void
log_forget_ffmpeg_error(void)
{
	ffmpeg_error[0] = '\0';
}
