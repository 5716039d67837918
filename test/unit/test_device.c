/*
 * A V4L2 device whose driver waits for a picture as long as it likes, unless it is
 * opened not to wait: libavdevice's own code, with open() and ioctl() of a device
 * that this machine need not have.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <libavdevice/avdevice.h>
#include <linux/videodev2.h>

#include "clock.h"
#include "log.h"
#include "source.h"

#define DEVICE "/dev/video63"
#define WIDTH 64
#define HEIGHT 48
#define FRAME (WIDTH * HEIGHT * 2) /* YUYV */
#define MAX_BUFFERS 64

static int device_fd = -1;
static bool device_waits;		 /* it was opened without O_NONBLOCK */
static atomic_bool device_gone;	 /* unplugged */
static atomic_int device_frames; /* to be had */
static int queued[MAX_BUFFERS];
static int nqueued;
static uint8_t level; /* of the next frame */
static uint8_t picture[FRAME];

/* ---- the driver ---- */

static int
give_frame(struct v4l2_buffer *buffer)
{
	if (device_gone)
		return ENODEV;
	while (device_frames == 0)
	{
		if (!device_waits)
			return EAGAIN;
		pause();
	}
	if (nqueued == 0)
		return EAGAIN;
	device_frames--;
	buffer->index = queued[0];
	memmove(queued, queued + 1, --nqueued * sizeof(queued[0]));
	buffer->bytesused = FRAME;
	buffer->timestamp.tv_sec = clock_monotonic_us() / CLOCK_SECOND;
	buffer->timestamp.tv_usec = clock_monotonic_us() % CLOCK_SECOND;
	memset(picture, level++, sizeof(picture));
	return pwrite(device_fd, picture, sizeof(picture), 0) == FRAME ? 0 : EIO;
}

static void
tell_format(struct v4l2_format *format)
{
	format->fmt.pix = (struct v4l2_pix_format){.width = WIDTH,
											   .height = HEIGHT,
											   .pixelformat = V4L2_PIX_FMT_YUYV,
											   .field = V4L2_FIELD_NONE,
											   .bytesperline = WIDTH * 2,
											   .sizeimage = FRAME};
}

static int
serve(unsigned long request, void *argument)
{
	struct v4l2_buffer *buffer = argument;

	switch (request)
	{
		case VIDIOC_QUERYCAP:
			((struct v4l2_capability *) argument)->capabilities =
				V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
			return 0;
		case VIDIOC_G_INPUT:
			*(int *) argument = 0;
			return 0;
		case VIDIOC_ENUMINPUT:
			return 0;
		case VIDIOC_G_FMT:
		case VIDIOC_S_FMT:
			tell_format(argument);
			return 0;
		case VIDIOC_G_PARM:
		case VIDIOC_S_PARM:
			((struct v4l2_streamparm *) argument)->parm.capture.timeperframe =
				(struct v4l2_fract){1, 10};
			return 0;
		case VIDIOC_REQBUFS:
			if (((struct v4l2_requestbuffers *) argument)->count > 4)
				((struct v4l2_requestbuffers *) argument)->count = 4;
			return 0;
		case VIDIOC_QUERYBUF:
			buffer->length = FRAME;
			buffer->m.offset = 0; /* all are one */
			return 0;
		case VIDIOC_QBUF:
			queued[nqueued++] = buffer->index;
			return 0;
		case VIDIOC_DQBUF:
			return give_frame(buffer);
		case VIDIOC_STREAMON:
		case VIDIOC_STREAMOFF:
			return 0;
		default:
			return ENOTTY;
	}
}

/* ---- what stands before the C library's functions of these names ---- */

int
ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;
	int error;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (fd != device_fd || device_fd < 0)
		return (int) syscall(SYS_ioctl, fd, request, argument);
	error = serve((uint32_t) request, argument);
	errno = error;
	return error == 0 ? 0 : -1;
}

static int
open_device(int flags)
{
	device_fd = memfd_create("device", MFD_CLOEXEC);
	device_waits = (flags & O_NONBLOCK) == 0;
	nqueued = 0;
	if (ftruncate(device_fd, FRAME) != 0)
		return -1;
	return device_fd;
}

int
open64(const char *path, int flags, ...)
{
	va_list arguments;
	int mode;

	va_start(arguments, flags);
	mode = va_arg(arguments, int);
	va_end(arguments);
	if (strcmp(path, DEVICE) == 0)
		return open_device(flags);
	return (int) syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

char *
realpath(const char *path, char *resolved)
{
	return strcmp(path, DEVICE) == 0 ? strdup(path) : canonicalize_file_name(path);
}

/* ---- tests ---- */

static int
set_up(void **state)
{
	/* A driver that waits is the end of the test. */
	alarm(60);
	avdevice_register_all();
	device_gone = false;
	device_frames = 0;
	return 0;
}

static SourceResult
open_source(Source **source, const atomic_bool *stop)
{
	static char url[] = DEVICE;
	CameraConfig config = {.camera_id = 1, .url = url};
	char reason[256] = "";
	SourceResult result =
		source_open(source, &config, NULL, 5 * CLOCK_SECOND, stop, reason, sizeof(reason));

	if (result != SOURCE_OK)
		print_message("%s\n", reason);
	return result;
}

static int64_t
thread_cpu_us(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
	return spent.tv_sec * CLOCK_SECOND + spent.tv_nsec / 1000;
}

static void
frames_come(void **state)
{
	const atomic_bool running = false;
	AVPacket *packet = av_packet_alloc();
	char reason[256];
	Source *source;

	assert_int_equal(open_source(&source, &running), SOURCE_OK);
	assert_true(source_live(source));
	assert_int_equal(source_video(source)->codecpar->width, WIDTH);
	for (int i = 0; i < 10; i++)
	{
		device_frames = 1;
		assert_int_equal(source_read(source, packet, clock_monotonic_us() + CLOCK_SECOND, reason,
									 sizeof(reason)),
						 SOURCE_OK);
		assert_int_equal(packet->size, FRAME);
		assert_int_equal(packet->data[0], i);
		av_packet_unref(packet);
	}
	device_gone = true;
	assert_int_equal(
		source_read(source, packet, clock_monotonic_us() + CLOCK_SECOND, reason, sizeof(reason)),
		SOURCE_LOST);
	assert_non_null(strstr(reason, "the device has failed: No such device"));
	source_close(source);
	av_packet_free(&packet);
}

/* No picture comes: the deadline ends the wait, which costs next to nothing. */
static void
a_silent_device_is_given_up(void **state)
{
	const atomic_bool running = false;
	AVPacket *packet = av_packet_alloc();
	char reason[256];
	Source *source;
	int64_t begin_us;
	int64_t spent_us;

	assert_int_equal(open_source(&source, &running), SOURCE_OK);
	begin_us = clock_monotonic_us();
	spent_us = thread_cpu_us();
	assert_int_equal(
		source_read(source, packet, begin_us + CLOCK_SECOND / 2, reason, sizeof(reason)),
		SOURCE_LOST);
	assert_string_equal(reason, "no answer in time");
	assert_true(clock_monotonic_us() - begin_us >= CLOCK_SECOND / 2);
	assert_true(thread_cpu_us() - spent_us < CLOCK_SECOND / 10);
	source_close(source);
	av_packet_free(&packet);
}

static void *
stop_soon(void *arg)
{
	atomic_bool *stop = arg;
	struct timespec pause = {.tv_nsec = 100000000};

	nanosleep(&pause, NULL);
	*stop = true;
	return NULL;
}

static void
a_stop_ends_the_wait(void **state)
{
	atomic_bool stop = false;
	AVPacket *packet = av_packet_alloc();
	pthread_t stopper;
	char reason[256];
	Source *source;

	assert_int_equal(open_source(&source, &stop), SOURCE_OK);
	assert_int_equal(pthread_create(&stopper, NULL, stop_soon, &stop), 0);
	assert_int_equal(source_read(source, packet, clock_monotonic_us() + 60 * CLOCK_SECOND, reason,
								 sizeof(reason)),
					 SOURCE_STOPPED);
	pthread_join(stopper, NULL);
	source_close(source);
	av_packet_free(&packet);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(frames_come, set_up),
		cmocka_unit_test_setup(a_silent_device_is_given_up, set_up),
		cmocka_unit_test_setup(a_stop_ends_the_wait, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
