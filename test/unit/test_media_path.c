/*
 * test_media_path.c
 *		Names of media files, and that nothing leads out of the media directory.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "media_fixture.h"

static int
make_dir(void **state)
{
	char *dir = strdup("/tmp/cctv-unit-XXXXXX");

	*state = mkdtemp(dir);
	return *state == NULL;
}

static int
drop_dir(void **state)
{
	remove_tree(*state);
	free(*state);
	return 0;
}

static void
test_names(void **state)
{
	char path[MEDIA_PATH];

	media_path_recording(path, 3, NOON + 62 * CLOCK_SECOND + 7999, "motion");
	assert_string_equal(path, "3/2025-12-31/120102.007Z-motion.mp4");
	media_path_snapshot(path, 2147483647, NOON, 2147483647);
	assert_string_equal(path, "2147483647/2025-12-31/120000.000-2147483647.jpg");
}

static void
test_create_makes_private_files(void **state)
{
	const char *dir = *state;
	char path[256];
	struct stat status;
	int fd = media_create(dir, "3/2025-12-31/a.mp4");

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	snprintf(path, sizeof(path), "%s/3/2025-12-31/a.mp4", dir);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	snprintf(path, sizeof(path), "%s/3/2025-12-31", dir);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);

	assert_int_equal(media_create(dir, "3/2025-12-31/a.mp4"), -EEXIST);
	fd = media_open(dir, "3/2025-12-31/a.mp4");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(media_rename(dir, "3/2025-12-31/a.mp4", "3/2025-12-31/b.mp4"), 0);
	assert_int_equal(media_remove(dir, "3/2025-12-31/a.mp4"), -ENOENT);
	assert_int_equal(media_remove(dir, "3/2025-12-31/b.mp4"), 0);
}

static void
test_hostile_paths_are_refused(void **state)
{
	static const char *const paths[] = {"",		 "/etc/passwd", "../x",	   "a/../../x", "a//b",
										"a/./b", "a/",			".hidden", "a/.b"};
	const char *dir = *state;
	char longest[MEDIA_PATH + 1];

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
	{
		assert_int_equal(media_create(dir, paths[i]), -EINVAL);
		assert_int_equal(media_open(dir, paths[i]), -EINVAL);
		assert_int_equal(media_remove(dir, paths[i]), -EINVAL);
	}
	memset(longest, 'a', MEDIA_PATH);
	longest[MEDIA_PATH] = '\0';
	assert_int_equal(media_create(dir, longest), -EINVAL);
	close(media_create(dir, "a"));
	assert_int_equal(media_rename(dir, "a", "../b"), -EINVAL);
	assert_int_equal(media_rename(dir, "a", "c/b"), -EINVAL);
}

static void
test_links_are_not_followed(void **state)
{
	const char *dir = *state;
	char outside[] = "/tmp/cctv-outside-XXXXXX";
	char link[256];
	struct dirent *entry;
	int entries = 0;
	DIR *listing;

	assert_non_null(mkdtemp(outside));
	snprintf(link, sizeof(link), "%s/3", dir);
	assert_int_equal(symlink(outside, link), 0);
	assert_int_equal(media_create(dir, "3/2025-12-31/a.mp4"), -ENOTDIR);
	assert_int_equal(unlink(link), 0);

	/* A file's name that is a link. */
	close(media_create(dir, "3/x"));
	snprintf(link, sizeof(link), "%s/3/a.mp4", dir);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_int_equal(media_create(dir, "3/a.mp4"), -EEXIST);
	assert_int_equal(media_open(dir, "3/a.mp4"), -ELOOP);
	assert_int_equal(media_remove(dir, "3/a.mp4"), 0);
	assert_int_equal(access("/etc/passwd", F_OK), 0);

	listing = opendir(outside);
	while ((entry = readdir(listing)) != NULL)
		entries++;
	closedir(listing);
	assert_int_equal(entries, 2); /* "." and ".." */
	rmdir(outside);
}

static void
test_only_regular_files_are_opened(void **state)
{
	const char *dir = *state;
	char path[256];

	snprintf(path, sizeof(path), "%s/pipe", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(media_open(dir, "pipe"), -EINVAL);
	assert_int_equal(media_open("/nonexistent", "a"), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_create_makes_private_files, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_hostile_paths_are_refused, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_links_are_not_followed, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_only_regular_files_are_opened, make_dir, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
