/*
 * media_fixture.h
 *		For tests of recording: the packets of a test video, and a camera that
 *		records them into a scratch directory.
 */
#ifndef MEDIA_FIXTURE_H
#define MEDIA_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/crc.h>
#include <libavutil/sha.h>

#include "clock.h"
#include "packet_ring.h"
#include "recorder.h"

/* Noon of a day that tests agree on. */
#define NOON (INT64_C(1767182400) * CLOCK_SECOND)

typedef struct StreamPacket
{
	AVPacket *packet;
	PacketKind kind;
	int64_t at_us; /* NOON for the first of all */
} StreamPacket;

/* All packets of a file in the order in which they lie there. */
typedef struct StreamFile
{
	PacketStreams *streams;
	StreamPacket *packets;
	int count;
	int video_count;
	bool annex_b;
} StreamFile;

static inline int64_t
stamp_us(int64_t stamp, AVRational time_base)
{
	return av_rescale_q(stamp, time_base, AV_TIME_BASE_Q);
}

/* Read a video made by test/media/make_media, at most max_us of it. */
static inline StreamFile
stream_file_read(const char *path, int64_t max_us)
{
	StreamFile file = {0};
	AVFormatContext *input = NULL;
	AVPacket *packet = av_packet_alloc();
	int streams[PACKET_KINDS];
	int64_t first_us = AV_NOPTS_VALUE;
	int capacity = 0;

	if (avformat_open_input(&input, path, NULL, NULL) < 0)
		fail_msg("%s is missing; run test/media/make_media", path);
	assert_true(avformat_find_stream_info(input, NULL) >= 0);
	streams[PACKET_VIDEO] = av_find_best_stream(input, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
	streams[PACKET_AUDIO] = av_find_best_stream(input, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
	assert_true(streams[PACKET_VIDEO] >= 0);

	AVStream *video = input->streams[streams[PACKET_VIDEO]];
	AVStream *audio = streams[PACKET_AUDIO] >= 0 ? input->streams[streams[PACKET_AUDIO]] : NULL;

	file.streams = packet_streams_create(video->codecpar, video->time_base,
										 audio != NULL ? audio->codecpar : NULL,
										 audio != NULL ? audio->time_base : (AVRational){0, 1});
	assert_non_null(file.streams);
	file.annex_b = strcmp(input->iformat->name, "mpegts") == 0;
	while (av_read_frame(input, packet) == 0)
	{
		PacketKind kind =
			packet->stream_index == streams[PACKET_VIDEO] ? PACKET_VIDEO : PACKET_AUDIO;
		int64_t pts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
		int64_t us = stamp_us(pts, input->streams[packet->stream_index]->time_base);

		if (packet->stream_index != streams[kind])
		{
			av_packet_unref(packet);
			continue;
		}
		if (first_us == AV_NOPTS_VALUE)
			first_us = us;
		if (us - first_us > max_us)
			break;
		if (file.count == capacity)
		{
			capacity = capacity * 2 + 256;
			file.packets = realloc(file.packets, capacity * sizeof(*file.packets));
			assert_non_null(file.packets);
		}
		file.packets[file.count++] = (StreamPacket){
			.packet = av_packet_clone(packet), .kind = kind, .at_us = NOON + us - first_us};
		file.video_count += kind == PACKET_VIDEO;
		av_packet_unref(packet);
	}
	av_packet_free(&packet);
	avformat_close_input(&input);
	return file;
}

static inline void
stream_file_free(StreamFile *file)
{
	for (int i = 0; i < file->count; i++)
		av_packet_free(&file->packets[i].packet);
	free(file->packets);
	packet_streams_unref(&file->streams);
}

/*
 * A checksum of a video packet that does not depend on how NAL units are
 * delimited: by start codes, or by lengths as in MP4.
 */
static inline uint32_t
payload_crc(const AVPacket *packet, bool annex_b, bool nal_units)
{
	const AVCRC *table = av_crc_get_table(AV_CRC_32_IEEE);
	const uint8_t *p = packet->data;
	const uint8_t *end = p + packet->size;
	uint32_t crc = 0;

	if (!nal_units)
		return av_crc(table, 0, p, packet->size);
	while (end - p > 4)
	{
		const uint8_t *stop;

		if (annex_b)
		{
			while (end - p > 3 && !(p[0] == 0 && p[1] == 0 && p[2] == 1))
				p++;
			p += 3;
			for (stop = p; stop < end; stop++)
				if (end - stop >= 3 && stop[0] == 0 && stop[1] == 0 && stop[2] <= 1)
					break;
		}
		else
		{
			stop = p + 4 + ((uint32_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]);
			p += 4;
		}
		crc = av_crc(table, crc ^ 0x5a, p, stop - p);
		p = stop;
	}
	return crc;
}

#define MAX_EVENTS 128

/* A camera that records: a ring, a recorder, a directory, and what was reported. */
typedef struct Camera
{
	char media_dir[64];
	PacketRing *ring;
	Recorder *recorder;
	RecordingEvent events[MAX_EVENTS];
	int nevents;
} Camera;

static inline void
camera_note(void *arg, const RecordingEvent *event)
{
	Camera *camera = arg;

	assert_true(camera->nevents < MAX_EVENTS);
	camera->events[camera->nevents++] = *event;
}

/* media_dir NULL: a fresh one. */
static inline Camera *
camera_create(const char *media_dir, int64_t segment_us, int64_t pre_roll_us)
{
	Camera *camera = calloc(1, sizeof(*camera));
	RecorderSettings settings = {.camera_id = 3,
								 .media_dir = camera->media_dir,
								 .segment_us = segment_us,
								 .pre_roll_us = pre_roll_us,
								 .retry_us = 1};

	assert_non_null(camera);
	if (media_dir != NULL)
		snprintf(camera->media_dir, sizeof(camera->media_dir), "%s", media_dir);
	else
	{
		strcpy(camera->media_dir, "/tmp/cctv-unit-XXXXXX");
		assert_non_null(mkdtemp(camera->media_dir));
	}
	camera->ring = packet_ring_create(64 << 20, 10 * CLOCK_SECOND);
	assert_non_null(camera->ring);
	camera->recorder = recorder_create(&settings, camera->ring, camera_note, camera);
	assert_non_null(camera->recorder);
	return camera;
}

static inline int
remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void) status;
	(void) type;
	(void) ftw;
	return remove(path);
}

static inline void
remove_tree(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
camera_free(Camera *camera)
{
	recorder_free(camera->recorder);
	packet_ring_free(camera->ring);
	remove_tree(camera->media_dir);
	free(camera);
}

static inline void
camera_push(Camera *camera, const StreamPacket *packet)
{
	assert_int_equal(packet_ring_push(camera->ring, packet->kind, packet->packet, packet->at_us),
					 0);
}

/* Push packets [from, to) of a file, letting the recorder run now and then. */
static inline void
camera_play(Camera *camera, const StreamFile *file, int from, int to)
{
	packet_ring_set_streams(camera->ring, file->streams);
	for (int i = from; i < to; i++)
	{
		camera_push(camera, &file->packets[i]);
		if (i % 7 == 0)
			recorder_run(camera->recorder);
	}
	recorder_run(camera->recorder);
}

/* End recording as if the camera went away: what is open is closed. */
static inline void
camera_stop(Camera *camera)
{
	recorder_run(camera->recorder);
	recorder_free(camera->recorder);
	camera->recorder = NULL;
}

static inline int
camera_count(const Camera *camera, RecordingAction action)
{
	int count = 0;

	for (int i = 0; i < camera->nevents; i++)
		count += camera->events[i].action == action;
	return count;
}

/* The nth event (from 0) of this action. */
static inline const RecordingEvent *
camera_event(const Camera *camera, RecordingAction action, int n)
{
	for (int i = 0; i < camera->nevents; i++)
		if (camera->events[i].action == action && n-- == 0)
			return &camera->events[i];
	fail_msg("no such event");
	return NULL;
}

static inline void
camera_path(const Camera *camera, const RecordingEvent *event, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", camera->media_dir, event->path);
}

#endif /* MEDIA_FIXTURE_H */
