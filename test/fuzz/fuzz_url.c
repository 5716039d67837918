/* URLs: their kind, their credentials, what a log shows of them, addresses to probe. */
#include "fuzz.h"

#include "probe_candidates.h"
#include "redact.h"
#include "url.h"

#define MARKER "Sesam77"

static bool
equal(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Does the authority still hold a user? */
static bool
has_user(const char *url)
{
	const char *p = strstr(url, "://");

	if (p == NULL || *url_path(url) == '/')
		return false;
	for (p += 3; *p != '\0' && *p != '/' && *p != '?' && *p != '#'; p++)
		if (*p == '@')
			return true;
	return false;
}

/* What was taken out can be put in again, and be taken out just the same. */
static void
check_credentials(const char *url)
{
	char *bare = NULL;
	char *username = NULL;
	char *password = NULL;
	char *full;
	char *bare2 = NULL;
	char *username2 = NULL;
	char *password2 = NULL;

	if (!url_take_credentials(url, &bare, &username, &password))
		abort();
	CHECK(!has_user(bare));
	full = url_with_credentials(bare, username, password);
	if (full == NULL || !url_take_credentials(full, &bare2, &username2, &password2))
		abort();
	if (username != NULL && strstr(bare, "://") != NULL && *url_path(bare) != '/')
	{
		CHECK(equal(bare, bare2));
		CHECK(equal(username, username2));
		CHECK(equal(password, password2));
	}
	free(bare);
	free(username);
	free(password);
	free(full);
	free(bare2);
	free(username2);
	free(password2);
}

/* A password is not logged, whatever stands around its URL. */
static void
check_redaction(const char *text)
{
	size_t half = strlen(text) / 2;
	char message[2048];
	char out[1024];

	redact(text, out, sizeof(out));
	CHECK(strlen(out) < sizeof(out));
	redact(text, out, 8);
	CHECK(strlen(out) < 8);
	if (half > 500 || strstr(text, MARKER) != NULL)
		return;
	snprintf(message, sizeof(message), "%.*s rtsp://u:" MARKER "@h/%s", (int) half, text,
			 text + half);
	redact(message, out, sizeof(out));
	CHECK(strstr(out, MARKER) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size < 4096 ? size : 4096);
	static Candidate candidates[CANDIDATES_MAX_COUNT];
	char reason[256] = "";
	UrlKind kind;
	int count;

	if (!url_classify(text, &kind, reason, sizeof(reason)))
		CHECK(reason[0] != '\0');
	check_credentials(text);
	check_redaction(text);
	reason[0] = '\0';
	count = candidates_list(text, candidates, reason, sizeof(reason));
	CHECK(count <= CANDIDATES_MAX_COUNT && (count >= 0 || reason[0] != '\0'));
	for (int i = 0; i < count; i++)
		CHECK(memchr(candidates[i].url, '\0', CANDIDATE_URL) != NULL);
	free(text);
	return 0;
}
