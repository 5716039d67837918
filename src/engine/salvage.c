/*
 * salvage.c
 *		Files of recordings whose writer was killed.
 *
 * A file closed in order ends with a random-access box (mfra); one that was
 * salvaged ends with a free box that says so.
 */
#define _GNU_SOURCE
#include "salvage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>

#include "clock.h"
#include "log.h"
#include "media_path.h"
#include "segment_reader.h"

/* The newest days that are looked at: a crash leaves files of the last hours. */
#define DAYS 2

/* Each is read whole once. */
#define MAX_FILES 32

/* What a salvaged file ends with, and the last box of one closed in order. */
static const uint8_t salvaged_box[] = "\0\0\0\x10"
									  "freesalvaged";
#define SALVAGED_BYTES ((ssize_t) sizeof(salvaged_box) - 1)

static bool
ends_in_order(int fd, int64_t size)
{
	uint8_t tail[16];

	return size >= (int64_t) sizeof(tail) &&
		   pread(fd, tail, sizeof(tail), size - (int64_t) sizeof(tail)) == sizeof(tail) &&
		   (memcmp(tail + 4, "mfro", 4) == 0 || memcmp(tail, salvaged_box, SALVAGED_BYTES) == 0);
}

/* Count what plays.  Returns false when it cannot be played after all. */
static bool
describe(int fd, int64_t size, RecordingEvent *event)
{
	SegmentReader *reader;
	const AVCodecParameters *video;
	AVPacket *packet = av_packet_alloc();
	PacketKind kind;
	int64_t end_us = 0;

	if (packet == NULL || segment_reader_attach(fd, size, &reader) < 0)
	{
		av_packet_free(&packet);
		return false;
	}
	video = segment_reader_stream(reader, PACKET_VIDEO)->codecpar;
	event->has_audio = segment_reader_stream(reader, PACKET_AUDIO) != NULL;
	event->width = video->width;
	event->height = video->height;
	snprintf(event->codec, sizeof(event->codec), "%s", avcodec_get_name(video->codec_id));
	while (segment_reader_next(reader, packet, &kind) > 0)
	{
		if (kind != PACKET_VIDEO)
			continue;
		event->frames++;
		if (packet->pts + packet->duration > end_us)
			end_us = packet->pts + packet->duration;
	}
	av_packet_free(&packet);
	segment_reader_close(reader);
	event->ended_us = event->started_us + end_us;
	event->bytes = size;
	return event->frames > 0;
}

/* What the name says: "<camera>/2026-11-20/061502.250Z-motion.mp4". */
static bool
read_name(const char *path, RecordingEvent *event)
{
	char day[16];
	char time[16];
	char reason[16];
	char text[CLOCK_TEXT * 2];

	*event = (RecordingEvent){.action = RECORDING_FOUND};
	snprintf(event->path, sizeof(event->path), "%s", path);
	if (sscanf(path, "%*d/%10[0-9-]/%10[0-9.]Z-%15[a-z].mp4", day, time, reason) != 3 ||
		strlen(time) != 10)
		return false;
	snprintf(text, sizeof(text), "%sT%.2s:%.2s:%sZ", day, time, time + 2, time + 4);
	if (!clock_parse(text, &event->started_us))
		return false;
	for (int i = 0; i < RECORD_REASONS; i++)
	{
		if (strcmp(reason, record_reason_name(i)) == 0)
		{
			event->reason = i;
			return true;
		}
	}
	return false;
}

static bool
has_suffix(const char *name, const char *suffix)
{
	size_t length = strlen(name);

	return length > strlen(suffix) && strcmp(name + length - strlen(suffix), suffix) == 0;
}

static SalvageResult
discard(const char *media_dir, const char *path, const char *why)
{
	int error = media_remove(media_dir, path);

	if (error == 0)
		log_warning("%s is removed: %s", path, why);
	else
		log_warning("%s cannot be removed: %s", path, strerror(-error));
	return error == 0 ? SALVAGE_REMOVED : SALVAGE_FAILED;
}

/* Cut the file to its complete parts and mark it; returns its size or -1. */
static int64_t
mend(int fd, int64_t complete)
{
	if (ftruncate(fd, complete) != 0 ||
		pwrite(fd, salvaged_box, SALVAGED_BYTES, complete) != SALVAGED_BYTES)
		return -1;
	return complete + SALVAGED_BYTES;
}

SalvageResult
salvage_file(const char *media_dir, const char *path, RecordingEvent *event)
{
	SalvageResult result = SALVAGE_FAILED;
	struct stat status;
	int64_t size;
	int fd;

	if (has_suffix(path, MEDIA_TEMPORARY))
		return discard(media_dir, path, "a picture that was not finished");
	if (!has_suffix(path, ".mp4") || !read_name(path, event))
		return SALVAGE_WHOLE;
	fd = media_reopen(media_dir, path);
	if (fd < 0 || fstat(fd, &status) != 0)
	{
		if (fd >= 0)
			close(fd);
		return SALVAGE_FAILED;
	}
	if (ends_in_order(fd, status.st_size))
		result = SALVAGE_WHOLE;
	else if ((size = segment_complete_bytes(fd, status.st_size)) == 0)
		result = discard(media_dir, path, "no part of the recording is complete");
	else if ((size = mend(fd, size)) < 0)
		log_warning("%s cannot be mended: %s", path, strerror(errno));
	else if (describe(fd, size, event) && media_hash(fd, event->sha256) == 0)
		result = SALVAGE_MENDED;
	else
		log_warning("%s cannot be read", path);
	close(fd);
	return result;
}

/* The day that holds the time, as in paths. */
static void
directory_of(char path[MEDIA_PATH], int camera_id, int64_t at_us)
{
	time_t seconds = at_us / CLOCK_SECOND;
	struct tm tm;
	char day[16];

	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	snprintf(path, MEDIA_PATH, "%d/%s", camera_id, day);
}

/* Was the file last written before then? */
static bool
is_older(DIR *directory, const char *name, int64_t before_us)
{
	struct stat status;

	return fstatat(dirfd(directory), name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		   S_ISREG(status.st_mode) &&
		   status.st_mtim.tv_sec * CLOCK_SECOND + status.st_mtim.tv_nsec / 1000 < before_us;
}

/* Returns how many files were worked on, at most `most`. */
static int
salvage_directory(const char *media_dir, const char *path, int64_t before_us, int most,
				  RecordingCallback callback, void *arg)
{
	int fd = media_directory(media_dir, path);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int worked = 0;

	if (directory == NULL)
	{
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (worked < most && (entry = readdir(directory)) != NULL)
	{
		char file[MEDIA_PATH];
		RecordingEvent event;
		SalvageResult result;

		if (entry->d_name[0] == '.' || !is_older(directory, entry->d_name, before_us) ||
			snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) >= (int) sizeof(file))
			continue;
		result = salvage_file(media_dir, file, &event);
		if (result == SALVAGE_MENDED)
			callback(arg, &event);
		if (result == SALVAGE_MENDED || result == SALVAGE_REMOVED)
			worked++;
	}
	closedir(directory);
	return worked;
}

bool
salvage_camera(const char *media_dir, int camera_id, int64_t before_us, RecordingCallback callback,
			   void *arg)
{
	int worked = 0;

	for (int day = 0; day < DAYS && worked < MAX_FILES; day++)
	{
		char path[MEDIA_PATH];

		directory_of(path, camera_id, before_us - day * 86400 * CLOCK_SECOND);
		worked += salvage_directory(media_dir, path, before_us, MAX_FILES - worked, callback, arg);
	}
	return worked < MAX_FILES;
}
