/*
 * redact.c
 *		Text that is safe to log: no credentials, no control characters.
 *
 * Everything a library or a stream says passes through here, so when in doubt
 * it hides too much rather than too little.
 */
#include "redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define HIDDEN "***"

/* Query parameters that cameras are known to take secrets in. */
static const char *const secret_names[] = {
	"password", "passwd",		 "pwd", "pass",	   "psw",	 "pw",	   "token",	  "access_token",
	"auth",		"authorization", "key", "api_key", "apikey", "secret", "session", "sid"};

typedef struct Output
{
	char *text;
	size_t size;
	size_t used;
} Output;

static void
append(Output *out, const char *text, size_t length)
{
	if (out->used + length >= out->size)
	{
		out->size = out->used + 1; /* cut here: nothing fits any more */
		return;
	}
	memcpy(out->text + out->used, text, length);
	out->used += length;
}

static bool
ends_url(char c)
{
	return c == '\0' || isspace((unsigned char) c) || c == '"' || c == '\'' || c == '<' || c == '>';
}

/*
 * Where the credentials of the URL whose authority starts at p end (the byte
 * after '@'), or NULL when it has none.  A password typed in raw may hold '/',
 * '?' or '@': after a colon the last '@' of the URL counts, even if this hides
 * a host with a port whose path happens to hold one.
 */
static const char *
credentials_end(const char *p)
{
	const char *at = NULL;
	bool colon = false;
	bool authority = true;

	for (; !ends_url(*p); p++)
	{
		if (*p == '/' || *p == '?' || *p == '#')
			authority = false;
		else if (*p == ':' && authority)
			colon = true;
		else if (*p == '@' && (authority || colon))
			at = p;
	}
	return at != NULL ? at + 1 : NULL;
}

/* Is the word that ends just before '=' at p the name of a secret? */
static bool
names_a_secret(const char *text, const char *p)
{
	const char *start = p;

	while (start > text && (isalnum((unsigned char) start[-1]) || start[-1] == '_'))
		start--;
	if (start == text || (start[-1] != '?' && start[-1] != '&'))
		return false;
	for (size_t i = 0; i < sizeof(secret_names) / sizeof(secret_names[0]); i++)
	{
		size_t length = strlen(secret_names[i]);

		if ((size_t) (p - start) == length && strncasecmp(start, secret_names[i], length) == 0)
			return true;
	}
	return false;
}

/* Length of the UTF-8 character at p, 0 when it is none (RFC 3629). */
static size_t
utf8_length(const unsigned char *p)
{
	size_t length;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		length = 2;
	else if (p[0] >= 0xE0 && p[0] <= 0xEF)
		length = 3;
	else if (p[0] >= 0xF0 && p[0] <= 0xF4)
		length = 4;
	else
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
		(p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
		return 0;
	return length;
}

/* Copy one character, or "?" for what is none. */
static const char *
copy_character(Output *out, const char *p)
{
	size_t length = utf8_length((const unsigned char *) p);

	if (length == 0 || (length == 1 && iscntrl((unsigned char) *p)))
	{
		append(out, "?", 1);
		return p + 1;
	}
	append(out, p, length);
	return p + length;
}

void
redact(const char *text, char *out, size_t size)
{
	static const char authorization[] = "authorization:";
	Output output = {out, size, 0};
	const char *p = text;

	while (*p != '\0')
	{
		if (strncmp(p, "://", 3) == 0)
		{
			const char *end = credentials_end(p + 3);

			append(&output, p, 3);
			p += 3;
			if (end != NULL)
			{
				append(&output, HIDDEN "@", sizeof(HIDDEN "@") - 1);
				p = end;
			}
		}
		else if (*p == '=' && names_a_secret(text, p))
		{
			append(&output, "=" HIDDEN, sizeof("=" HIDDEN) - 1);
			for (p++; !ends_url(*p) && *p != '&'; p++)
				;
		}
		else if (strncasecmp(p, authorization, sizeof(authorization) - 1) == 0)
		{
			append(&output, p, sizeof(authorization) - 1);
			append(&output, " " HIDDEN, sizeof(" " HIDDEN) - 1);
			while (*p != '\0' && *p != '\n')
				p++;
		}
		else
			p = copy_character(&output, p);
	}
	out[output.used] = '\0';
}
