/* Which sources there are, and their credentials. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "url.h"

static void
assert_kind(const char *url, UrlKind expected)
{
	UrlKind kind;
	char error[256];

	assert_true(url_classify(url, &kind, error, sizeof(error)));
	assert_int_equal(kind, expected);
}

static void
knows_the_kinds(void **state)
{
	assert_kind("rtsp://192.0.2.7/a", URL_RTSP);
	assert_kind("RTSPS://host:322/a", URL_RTSP);
	assert_kind("http://host/video.mjpg", URL_HTTP);
	assert_kind("https://host/live.m3u8", URL_HTTP);
	assert_kind("/srv/video/a b.mp4", URL_FILE);
	assert_kind("file:///srv/a.mp4", URL_FILE);
	assert_kind("file:/srv/a.mp4", URL_FILE);
	assert_kind("/dev/video0", URL_DEVICE);
	assert_kind("/dev/video12", URL_DEVICE);
	assert_kind("/dev/video", URL_FILE);
	assert_kind("/dev/video0/../../etc/passwd", URL_FILE);
}

static void
refuses_everything_else(void **state)
{
	static const char *const wrong[] = {"",
										"video.mp4",
										"ftp://host/a",
										"concat:/etc/passwd|/etc/group",
										"subfile,,start,0,end,9,,:/etc/passwd",
										"data:text/plain,x",
										"file:relative",
										"rtsp://",
										"rtsp:///path",
										"http://:80/",
										"http://ho st/",
										"rtsp://host/a\nb",
										"tcp://host:1",
										"udp://239.0.0.1:1234",
										"pipe:0"};
	UrlKind kind;
	char error[256];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		error[0] = '\0';
		assert_false(url_classify(wrong[i], &kind, error, sizeof(error)));
		assert_true(strlen(error) > 0);
	}
}

/* A word of a comma-separated list. */
static int
lists(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *p = strstr(list, word); p != NULL; p = strstr(p + 1, word))
		if ((p == list || p[-1] == ',') && (p[length] == '\0' || p[length] == ','))
			return 1;
	return 0;
}

static void
network_sources_reach_no_file(void **state)
{
	static const char *const local[] = {"file", "pipe",	  "concat", "subfile",
										"data", "crypto", "unix",	"fd"};

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
	{
		assert_false(lists(url_protocols(URL_RTSP), local[i]));
		assert_false(lists(url_protocols(URL_HTTP), local[i]));
	}
	assert_string_equal(url_protocols(URL_FILE), "file");
	assert_null(url_protocols(URL_DEVICE));
}

static void
no_demuxer_opens_further_files(void **state)
{
	static const char *const script[] = {"concat", "image2", "lavfi", "avs",  "imf",
										 "dash",   "hls",	 "sdp",	  "rtsp", "tty"};

	for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++)
		assert_false(lists(url_formats(URL_FILE), script[i]));
	assert_false(lists(url_formats(URL_HTTP), "concat"));
	assert_false(lists(url_formats(URL_HTTP), "sdp"));
	assert_false(lists(url_formats(URL_RTSP), "hls"));
}

static void
take(const char *url, const char *bare, const char *username, const char *password)
{
	char *got[3];

	assert_true(url_take_credentials(url, &got[0], &got[1], &got[2]));
	assert_string_equal(got[0], bare);
	if (username == NULL)
		assert_null(got[1]);
	else
		assert_string_equal(got[1], username);
	if (password == NULL)
		assert_null(got[2]);
	else
		assert_string_equal(got[2], password);
	for (int i = 0; i < 3; i++)
		free(got[i]);
}

static void
takes_credentials_out(void **state)
{
	take("rtsp://u:p@h/x", "rtsp://h/x", "u", "p");
	take("rtsp://u@h/x", "rtsp://h/x", "u", NULL);
	take("rtsp://u:@h", "rtsp://h", "u", "");
	take("rtsp://a%40b:c%2Fd%25@h/x@y", "rtsp://h/x@y", "a@b", "c/d%");
	take("rtsp://u:p%zz%4@h", "rtsp://h", "u", "p%zz%4");
	take("rtsp://u:p%00q@h", "rtsp://h", "u", "p%00q");
	take("rtsp://h/x?a=b@c", "rtsp://h/x?a=b@c", NULL, NULL);
	take("/srv/a@b://c@d.mp4", "/srv/a@b://c@d.mp4", NULL, NULL);
}

static void
put(const char *username, const char *password, const char *expected)
{
	char *url = url_with_credentials("rtsp://h:554/x", username, password);

	assert_string_equal(url, expected);
	free(url);
}

static void
puts_credentials_in_percent_encoded(void **state)
{
	put(NULL, NULL, "rtsp://h:554/x");
	put("viewer", "Sesam77", "rtsp://viewer:Sesam77@h:554/x");
	put("viewer", NULL, "rtsp://viewer@h:554/x");
	put("a@b", "c/d:e?#%\xc3\xa9 ", "rtsp://a%40b:c%2Fd%3Ae%3F%23%25%C3%A9%20@h:554/x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_kinds),
		cmocka_unit_test(refuses_everything_else),
		cmocka_unit_test(network_sources_reach_no_file),
		cmocka_unit_test(no_demuxer_opens_further_files),
		cmocka_unit_test(takes_credentials_out),
		cmocka_unit_test(puts_credentials_in_percent_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
