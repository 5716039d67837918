/* Names on pictures: what the font can draw of them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "caption.h"

static void
assert_ascii(const char *text, const char *ascii, int unknown)
{
	char out[128];

	assert_int_equal(caption_ascii(text, out, sizeof(out)), unknown);
	assert_string_equal(out, ascii);
}

static void
accents_are_left_out(void **state)
{
	assert_ascii("", "", 0);
	assert_ascii("Lobby 2 (east) ~!", "Lobby 2 (east) ~!", 0);
	assert_ascii("Caf\xc3\xa9 S\xc3\xbc"
				 "d",
				 "Cafe Sud", 0);
	assert_ascii("Stra\xc3\x9f"
				 "e, \xc3\x86r\xc3\xb8, \xc5\x81\xc3\xb3"
				 "d\xc5\xba",
				 "Strasse, AEro, Lodz", 0);
	assert_ascii("\xc3\x80\xc3\xbf\xc5\xbf", "Ays", 0);
	/* Accents of their own, and typographic signs. */
	assert_ascii("Cafe\xcc\x81", "Cafe", 0);
	assert_ascii("door\xe2\x80\x93"
				 "2\xc2\xa0\xe2\x80\x9cnew\xe2\x80\x9d",
				 "door-2 \"new\"", 0);
}

static void
what_has_no_form_is_a_question_mark(void **state)
{
	assert_ascii("\xe5\xa4\xa7\xe5\x8e\x85 2", "?? 2", 2);
	assert_ascii("\xf0\x9f\x9a\xaa", "?", 1);
	/* What is not UTF-8 does no harm, wherever it ends. */
	assert_ascii("a\xff"
				 "b",
				 "a?b", 1);
	assert_ascii("a\xc3", "a?", 1);
	assert_ascii("\xe5\xa4", "?", 1);
	assert_ascii("\xf0\x9f\x9a", "?", 1);
	assert_ascii("\x80\xbf", "??", 2);
	assert_ascii("a\tb", "a?b", 1);
}

static void
long_text_is_cut(void **state)
{
	char out[6];

	caption_ascii("abcdefgh", out, sizeof(out));
	assert_string_equal(out, "abcde");
	caption_ascii("abcd\xc3\x86xyz", out, sizeof(out));
	assert_string_equal(out, "abcd");
	caption_ascii("abc", out, 1);
	assert_string_equal(out, "");
}

static void
a_camera_has_its_name(void **state)
{
	char out[CAPTION_NAME];
	char name[513];

	caption_camera("Entr\xc3\xa9"
				   "e",
				   7, out);
	assert_string_equal(out, "Entree");
	caption_camera("\xe5\xa4\xa7 gate", 7, out);
	assert_string_equal(out, "? gate");
	/* Nobody could read that. */
	caption_camera("\xe5\xa4\xa7\xe5\x8e\x85", 7, out);
	assert_string_equal(out, "camera 7");
	caption_camera(NULL, 7, out);
	assert_string_equal(out, "camera 7");
	memset(name, 'x', sizeof(name));
	name[512] = '\0';
	caption_camera(name, 7, out);
	assert_int_equal(strlen(out), CAPTION_NAME - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accents_are_left_out),
		cmocka_unit_test(what_has_no_form_is_a_question_mark),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(a_camera_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
