/* What an address is taken for. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe_candidates.h"

static Candidate candidates[CANDIDATES_MAX_COUNT];
static char reason[256];

static int
list(const char *address)
{
	reason[0] = '\0';
	return candidates_list(address, candidates, reason, sizeof(reason));
}

static int
find(const char *url, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(candidates[i].url, url) == 0)
			return i;
	return -1;
}

static void
assert_itself(const char *address, const char *url)
{
	assert_int_equal(list(address), 1);
	assert_string_equal(candidates[0].url, url);
	assert_int_equal(candidates[0].door, 0);
	assert_false(candidates[0].still);
}

static void
a_url_or_path_is_tried_as_it_is(void **state)
{
	assert_itself("rtsp://192.0.2.7:8554/a?b=c", "rtsp://192.0.2.7:8554/a?b=c");
	assert_itself("https://host/video.mjpg", "https://host/video.mjpg");
	assert_itself("/srv/video/a.mp4", "/srv/video/a.mp4");
	assert_itself("/dev/video3", "/dev/video3");
	assert_itself("0", "/dev/video0");
	assert_itself("12", "/dev/video12");
}

static void
a_host_has_doors_and_paths(void **state)
{
	int count = list("camera.example");

	assert_in_range(count, 50, CANDIDATES_MAX_COUNT);
	assert_int_equal(find("rtsp://camera.example/Streaming/Channels/101", count), 0);
	assert_true(find("rtsp://camera.example:8554/cam", count) > 0);
	assert_true(find("http://camera.example/axis-cgi/mjpg/video.cgi", count) > 0);
	assert_true(find("http://camera.example:8080/?action=stream", count) > 0);
	assert_true(candidates[find("http://camera.example/snapshot.jpg", count)].still);
	/* One door is one port: all of it is listed before the next. */
	for (int i = 1; i < count; i++)
		assert_in_range(candidates[i].door - candidates[i - 1].door, 0, 1);
	assert_int_equal(candidates[count - 1].door, 5);
	/* Nothing twice. */
	for (int i = 0; i < count; i++)
		assert_int_equal(find(candidates[i].url, count), i);
}

static void
a_port_is_tried_with_both_protocols(void **state)
{
	int count = list("192.0.2.7:10554");

	assert_true(find("rtsp://192.0.2.7:10554/stream1", count) >= 0);
	assert_true(find("http://192.0.2.7:10554/video.mjpg", count) > 0);
	assert_int_equal(candidates[count - 1].door, 1);
	count = list("[2001:db8::7]:554");
	assert_true(find("rtsp://[2001:db8::7]/stream1", count) >= 0);
	count = list("[2001:db8::7]");
	assert_true(find("rtsp://[2001:db8::7]:8554/stream", count) > 0);
}

static void
anything_else_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",		   "a b",	  "host/path", "host:",		"host:0",		"host:65536",
		"host:1x", "host:-1", "[::1",	   "[zz]",		"::1",			"ftp://host/a",
		"rtsp://", "a\nb",	  "host?x",	   "user@host", "http://ho st/"};
	char longest[CANDIDATE_URL + 20];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		if (list(wrong[i]) >= 0)
			fail_msg("\"%s\" was taken for an address", wrong[i]);
		assert_int_not_equal(reason[0], '\0');
	}
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(list(longest), -1);
	memcpy(longest, "rtsp://", 7);
	assert_int_equal(list(longest), -1);
	longest[CANDIDATE_URL - 1] = '\0';
	assert_int_equal(list(longest), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_or_path_is_tried_as_it_is),
		cmocka_unit_test(a_host_has_doors_and_paths),
		cmocka_unit_test(a_port_is_tried_with_both_protocols),
		cmocka_unit_test(anything_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
