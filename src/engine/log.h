/*
 * log.h
 *		The one funnel for messages: the engine's own and FFmpeg's, redacted and
 *		rate-limited.
 */
#ifndef CCTV_LOG_H
#define CCTV_LOG_H

#include <stdbool.h>

/* Room for a message, its NUL included; longer ones are cut. */
#define LOG_MESSAGE 1024

typedef enum LogLevel
{
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
} LogLevel;

/* Where messages go.  camera_id is 0 when the message concerns no camera. */
typedef void (*LogSink)(void *arg, LogLevel level, int camera_id, const char *message);

/* Messages go to stderr until a sink is set; NULL goes back to stderr. */
extern void log_set_sink(LogSink sink, void *arg);
extern void log_set_level(LogLevel level);

/* "error", "warning", "info", "debug"; parsing returns false for other words. */
extern const char *log_level_name(LogLevel level);
extern bool log_level_parse(const char *name, LogLevel *level);

/* Take over FFmpeg's messages. */
extern void log_capture_ffmpeg(void);

/*
 * The last error FFmpeg spoke of on this thread, redacted, "" if none since it
 * was last forgotten: it often knows more than the error code.
 */
extern const char *log_ffmpeg_error(void);

/* FFmpeg's messages on this thread are not worth telling: attempts may fail. */
extern void log_mute_ffmpeg(void);
extern void log_forget_ffmpeg_error(void);

/*
 * Log one message about the camera that this thread serves.  Each format of a
 * camera may speak five times in ten seconds; the rest is counted.
 */
extern void log_write(LogLevel level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif /* CCTV_LOG_H */
