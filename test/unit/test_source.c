/* Opening streams: what may be opened, by whom, and how soon it gives up. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "log.h"
#include "source.h"
#include "thread.h"
#include "video_fixture.h"

#define FRAMES 30

static char root[] = "/tmp/pg_cctv_source_XXXXXX";
static char inside[64];
static char outside[64];
static const atomic_bool running = false;

/* A server that answers each request by its path, from set_up to the end. */
static int server_fd;
static int server_port;
static atomic_int silent_requests;

static void
answer(int fd, const char *request)
{
	char head[256];
	char body[512] = "";
	const char *status = "200 OK";
	char extra[128] = "";
	const char *play = NULL;

	if (strncmp(request, "GET /silent", 11) == 0)
	{
		silent_requests++;
		return; /* keeps the connection, and its peace */
	}
	if (strncmp(request, "GET /playlist.m3u8", 18) == 0)
		snprintf(body, sizeof(body),
				 "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile://%s/video.avi\n"
				 "#EXT-X-ENDLIST\n",
				 outside);
	else if (strncmp(request, "GET /live.m3u8", 14) == 0)
		snprintf(body, sizeof(body),
				 "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsegment.ts\n#EXT-X-ENDLIST\n");
	else if (strncmp(request, "GET /segment.ts", 15) == 0)
		play = "video.ts";
	else if (strncmp(request, "GET /redirect", 13) == 0)
	{
		status = "302 Found";
		snprintf(extra, sizeof(extra), "Location: file://%s/video.avi\r\n", outside);
	}
	else if (strncmp(request, "GET /concat", 11) == 0)
		snprintf(body, sizeof(body), "ffconcat version 1.0\nfile 'file://%s/video.avi'\n", outside);
	else if (strncmp(request, "GET /sdp", 8) == 0)
		snprintf(body, sizeof(body),
				 "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
				 "m=video 9 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n");
	else if (strncmp(request, "GET /private", 12) == 0)
		status = "401 Unauthorized";
	else if (strncmp(request, "GET /video", 10) == 0)
		play = "video.avi";
	else
		status = "404 Not Found";
	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nConnection: close\r\n%s\r\n", status, extra);
	if (write(fd, head, strlen(head)) < 0 || write(fd, body, strlen(body)) < 0)
		return;
	if (play != NULL)
	{
		char path[96];
		char block[4096];
		size_t got;
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", inside, play);
		file = fopen(path, "rb");
		while ((got = fread(block, 1, sizeof(block), file)) > 0 && write(fd, block, got) > 0)
			;
		fclose(file);
	}
	close(fd);
}

static void *
serve(void *arg)
{
	int fd;

	while ((fd = accept(server_fd, NULL, NULL)) >= 0)
	{
		char request[4096];
		size_t used = 0;
		ssize_t got;

		while (used < sizeof(request) - 1 &&
			   (got = read(fd, request + used, sizeof(request) - 1 - used)) > 0)
		{
			used += got;
			request[used] = '\0';
			if (strstr(request, "\r\n\r\n") != NULL)
				break;
		}
		answer(fd, request);
	}
	return NULL;
}

static void
discard(void *arg, LogLevel level, int camera_id, const char *message)
{
}

static int
set_up(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	pthread_t thread;
	char path[96];

	log_capture_ffmpeg();
	log_set_sink(discard, NULL);
	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(inside, sizeof(inside), "%s/inside", root);
	snprintf(outside, sizeof(outside), "%s/outside", root);
	mkdir(inside, 0700);
	mkdir(outside, 0700);
	snprintf(path, sizeof(path), "%s/video.avi", inside);
	video_write(path, 160, 120, 10, FRAMES);
	snprintf(path, sizeof(path), "%s/video.ts", inside);
	video_write(path, 160, 120, 10, FRAMES);
	snprintf(path, sizeof(path), "%s/video.avi", outside);
	video_write(path, 160, 120, 10, FRAMES);

	server_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(server_fd, (struct sockaddr *) &address, length) != 0 || listen(server_fd, 8) != 0)
		return -1;
	getsockname(server_fd, (struct sockaddr *) &address, &length);
	server_port = ntohs(address.sin_port);
	return thread_start(&thread, "server", serve, NULL);
}

static int
tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

/* Open url with `inside` as the only source path; returns how that went. */
static SourceResult
attempt(char *url, Source **source, int64_t timeout_us, const atomic_bool *stop, char reason[256])
{
	char *paths[] = {inside};
	StringList source_paths = {1, paths};
	CameraConfig config = {.camera_id = 1, .url = url};

	reason[0] = '\0';
	return source_open(source, &config, &source_paths, timeout_us, stop, reason, 256);
}

static SourceResult
try(char *url, const char *expected_reason)
{
	Source *source;
	char reason[256];
	SourceResult result = attempt(url, &source, 5 * CLOCK_SECOND, &running, reason);

	if (result == SOURCE_OK)
		source_close(source);
	else
		assert_null(source);
	if (expected_reason != NULL && strstr(reason, expected_reason) == NULL)
		fail_msg("%s: %s", url, reason);
	return result;
}

static char *
in(const char *directory, const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static char *
web(const char *path)
{
	static char url[160];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/%s", server_port, path);
	return url;
}

static void
write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int
packets_of(Source *source)
{
	AVPacket *packet = av_packet_alloc();
	char reason[256];
	SourceResult result;
	int count = 0;

	while ((result = source_read(source, packet, clock_monotonic_us() + 5 * CLOCK_SECOND, reason,
								 sizeof(reason))) == SOURCE_OK)
	{
		count++;
		av_packet_unref(packet);
	}
	if (source_live(source))
		assert_int_equal(result, SOURCE_LOST);
	else
		assert_int_equal(result, SOURCE_END);
	av_packet_free(&packet);
	return count;
}

static void
plays_a_file_and_a_stream_to_their_ends(void **state)
{
	Source *source;
	char reason[256];

	assert_int_equal(attempt(in(inside, "video.avi"), &source, 5 * CLOCK_SECOND, &running, reason),
					 SOURCE_OK);
	assert_false(source_live(source));
	assert_int_equal(packets_of(source), FRAMES);
	source_close(source);
	assert_int_equal(attempt(web("video"), &source, 5 * CLOCK_SECOND, &running, reason), SOURCE_OK);
	assert_true(source_live(source));
	assert_int_equal(packets_of(source), FRAMES);
	source_close(source);
}

/* A segment arrives at once; its pictures are to come as they were taken. */
static void
hls_comes_at_its_own_pace(void **state)
{
	Source *source;
	char reason[256];
	int64_t start;

	assert_int_equal(attempt(web("live.m3u8"), &source, 5 * CLOCK_SECOND, &running, reason),
					 SOURCE_OK);
	start = clock_monotonic_us();
	assert_int_equal(packets_of(source), FRAMES);
	assert_in_range(clock_monotonic_us() - start, 28 * CLOCK_SECOND / 10, 6 * CLOCK_SECOND);
	source_close(source);
}

static void
files_lie_in_the_source_paths(void **state)
{
	char link[160];

	assert_int_equal(try(in(outside, "video.avi"), "source_paths"), SOURCE_WRONG);
	assert_int_equal(try(in(inside, "../outside/video.avi"), "source_paths"), SOURCE_WRONG);
	snprintf(link, sizeof(link), "%s/link.avi", inside);
	assert_int_equal(symlink("../outside/video.avi", link), 0);
	assert_int_equal(try(link, "source_paths"), SOURCE_WRONG);
	assert_int_equal(try(in(inside, "missing.avi"), "No such file"), SOURCE_WRONG);
	assert_int_equal(try("/dev/video99", "No such file"), SOURCE_WRONG);
	/* A directory whose name merely begins like an allowed one. */
	snprintf(link, sizeof(link), "%s/inside2", root);
	mkdir(link, 0700);
	snprintf(link, sizeof(link), "%s/inside2/video.avi", root);
	write_text(link, "x");
	assert_int_equal(try(link, "source_paths"), SOURCE_WRONG);
}

static void
what_is_no_video_is_said_to_be_none(void **state)
{
	write_text(in(inside, "text.txt"), "nothing to see here\n");
	assert_int_equal(try(in(inside, "text.txt"), "not a video"), SOURCE_WRONG);
	write_text(in(inside, "empty.avi"), "");
	assert_int_equal(try(in(inside, "empty.avi"), NULL), SOURCE_WRONG);
	/* Matroska that ends in its header. */
	write_text(
		in(inside, "cut.mkv"),
		"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42"
		"\x82\x88matroska\x42\x87\x81\x04\x42\x85\x81\x02\x18\x53\x80\x67");
	assert_int_equal(try(in(inside, "cut.mkv"), "not a video"), SOURCE_WRONG);
	assert_int_equal(try(inside, "not a regular file"), SOURCE_WRONG);
	/* To open a pipe would be to wait for somebody to write to it. */
	assert_int_equal(mkfifo(in(inside, "pipe"), 0600), 0);
	assert_int_equal(try(in(inside, "pipe"), "not a regular file"), SOURCE_WRONG);
}

/* Nobody may open the video outside, whatever a file or a server says. */
static void
nothing_leads_to_another_file(void **state)
{
	char text[512];
	char events[4096];
	int watch = inotify_init1(IN_NONBLOCK);

	assert_true(inotify_add_watch(watch, outside, IN_OPEN) >= 0);
	snprintf(text, sizeof(text), "ffconcat version 1.0\nfile '%s/video.avi'\n", outside);
	write_text(in(inside, "script.ffconcat"), text);
	assert_int_equal(try(in(inside, "script.ffconcat"), NULL), SOURCE_WRONG);
	snprintf(text, sizeof(text),
			 "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n%s/video.avi\n#EXT-X-ENDLIST\n",
			 outside);
	write_text(in(inside, "playlist.m3u8"), text);
	assert_int_equal(try(in(inside, "playlist.m3u8"), NULL), SOURCE_WRONG);

	assert_int_not_equal(try(web("playlist.m3u8"), NULL), SOURCE_OK);
	assert_int_not_equal(try(web("redirect"), NULL), SOURCE_OK);
	assert_int_not_equal(try(web("concat"), NULL), SOURCE_OK);
	assert_int_not_equal(try(web("sdp"), NULL), SOURCE_OK);
	assert_int_equal(read(watch, events, sizeof(events)), -1);

	/* The watch works. */
	assert_int_equal(access(in(outside, "video.avi"), R_OK), 0);
	fclose(fopen(in(outside, "video.avi"), "r"));
	assert_true(read(watch, events, sizeof(events)) > 0);
	close(watch);
}

static void
servers_that_refuse_are_told_apart(void **state)
{
	assert_int_equal(try(web("private"), "401"), SOURCE_WRONG);
	assert_int_equal(try(web("nothing"), "404"), SOURCE_WRONG);
	assert_int_equal(try("http://127.0.0.1:1/", "connection refused"), SOURCE_LOST);
	assert_int_equal(try("rtsp://127.0.0.1:1/", "connection refused"), SOURCE_LOST);
}

static void
a_silent_server_is_given_up(void **state)
{
	int64_t start = clock_monotonic_us();
	Source *source;
	char reason[256];

	assert_int_equal(attempt(web("silent"), &source, CLOCK_SECOND / 2, &running, reason),
					 SOURCE_LOST);
	assert_string_equal(reason, "no answer in time");
	assert_in_range(clock_monotonic_us() - start, CLOCK_SECOND / 5, 2 * CLOCK_SECOND);
}

static void *
stop_when_blocked(void *arg)
{
	while (silent_requests == 0)
		sched_yield();
	*(atomic_bool *) arg = true;
	return NULL;
}

static void
a_blocked_open_can_be_stopped(void **state)
{
	atomic_bool stop = false;
	int64_t start = clock_monotonic_us();
	pthread_t thread;
	Source *source;
	char reason[256];

	silent_requests = 0;
	assert_int_equal(thread_start(&thread, "stop", stop_when_blocked, &stop), 0);
	assert_int_equal(attempt(web("silent"), &source, 60 * CLOCK_SECOND, &stop, reason),
					 SOURCE_STOPPED);
	assert_in_range(clock_monotonic_us() - start, 0, CLOCK_SECOND);
	pthread_join(thread, NULL);
}

static void
long_credentials_are_refused_for_rtsp(void **state)
{
	char password[128];
	CameraConfig config = {.url = "rtsp://127.0.0.1:1/", .username = "u", .password = password};
	char reason[256];
	Source *source;

	memset(password, '@', 60);
	password[60] = '\0';
	assert_int_equal(
		source_open(&source, &config, NULL, CLOCK_SECOND, &running, reason, sizeof(reason)),
		SOURCE_WRONG);
	assert_non_null(strstr(reason, "too long"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plays_a_file_and_a_stream_to_their_ends),
		cmocka_unit_test(hls_comes_at_its_own_pace),
		cmocka_unit_test(files_lie_in_the_source_paths),
		cmocka_unit_test(what_is_no_video_is_said_to_be_none),
		cmocka_unit_test(nothing_leads_to_another_file),
		cmocka_unit_test(servers_that_refuse_are_told_apart),
		cmocka_unit_test(a_silent_server_is_given_up),
		cmocka_unit_test(a_blocked_open_can_be_stopped),
		cmocka_unit_test(long_credentials_are_refused_for_rtsp),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
