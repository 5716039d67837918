/* What may be logged. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "redact.h"

static void
check(const char *text, const char *expected)
{
	char out[256];

	redact(text, out, sizeof(out));
	assert_string_equal(out, expected);
}

static void
hides_credentials_of_urls(void **state)
{
	check("opening rtsp://viewer:Sesam77@192.0.2.7/a now", "opening rtsp://***@192.0.2.7/a now");
	check("http://viewer@host/", "http://***@host/");
	check("'rtsp://u:p@h/' and \"http://v:q@g/\"", "'rtsp://***@h/' and \"http://***@g/\"");
	/* Typed in raw: '/', '@', '?' and '#' in the password. */
	check("rtsp://u:p/w@host/x", "rtsp://***@host/x");
	check("rtsp://u:p@w@host/x", "rtsp://***@host/x");
	check("rtsp://u:p?w#@host/x", "rtsp://***@host/x");
	check("rtsp://u:12345/w@host/x", "rtsp://***@host/x");
}

static void
leaves_other_urls_alone(void **state)
{
	check("rtsp://192.0.2.7:554/stream1", "rtsp://192.0.2.7:554/stream1");
	check("http://[2001:db8::1]:80/x", "http://[2001:db8::1]:80/x");
	check("tcp://127.0.0.1:9?timeout=5 failed: refused",
		  "tcp://127.0.0.1:9?timeout=5 failed: refused");
	check("mail me@example.org", "mail me@example.org");
}

static void
hides_secrets_in_queries_and_headers(void **state)
{
	check("http://h/v.cgi?usr=a&pwd=b&x=1", "http://h/v.cgi?usr=a&pwd=***&x=1");
	check("http://h/?PASSWORD=b", "http://h/?PASSWORD=***");
	check("http://h/?token=abc rest", "http://h/?token=*** rest");
	check("http://h/?mypassword=b", "http://h/?mypassword=b");
	check("Authorization: Basic dTpw", "Authorization: ***");
	check("proxy-authorization: Digest x", "proxy-authorization: ***");
}

static void
cleans_what_is_not_text(void **state)
{
	check("a\x1b[31m\tb\x7f", "a?[31m?b?");
	check("caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac");
	check("\xff\xc3.\xed\xa0\x80\xc0\xaf", "??.?????");
	check("\xf0\x9f\x93\xb7 \xf5\x80\x80\x80", "\xf0\x9f\x93\xb7 ????");
	check("cut \xe2\x82", "cut ??");
}

static void
cuts_at_a_character(void **state)
{
	char out[6];

	redact("abcd\xc3\xa9z", out, sizeof(out));
	assert_string_equal(out, "abcd");
	redact("rtsp://u:p@h", out, sizeof(out));
	assert_null(strstr(out, "u:"));
	redact("x", out, 1);
	assert_string_equal(out, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hides_credentials_of_urls),
		cmocka_unit_test(leaves_other_urls_alone),
		cmocka_unit_test(hides_secrets_in_queries_and_headers),
		cmocka_unit_test(cleans_what_is_not_text),
		cmocka_unit_test(cuts_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
