/*
 * url.c
 *		What kind of source a URL names, and its credentials.
 */
#include "url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool
has_scheme(const char *url, const char *scheme)
{
	size_t length = strlen(scheme);

	return strncasecmp(url, scheme, length) == 0 && strncmp(url + length, "://", 3) == 0;
}

static bool
is_device(const char *path)
{
	static const char prefix[] = "/dev/video";
	const char *p = path + sizeof(prefix) - 1;

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0 || *p == '\0')
		return false;
	while (isdigit((unsigned char) *p))
		p++;
	return *p == '\0';
}

bool
url_classify(const char *url, UrlKind *kind, char *error, size_t error_size)
{
	const char *host = strstr(url, "://");

	for (const char *p = url; *p != '\0'; p++)
	{
		if (iscntrl((unsigned char) *p))
		{
			snprintf(error, error_size, "the URL has a control character");
			return false;
		}
	}
	if (has_scheme(url, "rtsp") || has_scheme(url, "rtsps"))
		*kind = URL_RTSP;
	else if (has_scheme(url, "http") || has_scheme(url, "https"))
		*kind = URL_HTTP;
	else if (*url_path(url) == '/')
	{
		*kind = is_device(url_path(url)) ? URL_DEVICE : URL_FILE;
		return true;
	}
	else
	{
		snprintf(error, error_size,
				 "not a source: use rtsp://, rtsps://, http://, https://, an absolute path or "
				 "/dev/videoN");
		return false;
	}
	if (host[3] == '\0' || host[3] == '/' || host[3] == ':' || strchr(host, ' ') != NULL)
	{
		snprintf(error, error_size, "the URL names no host");
		return false;
	}
	return true;
}

const char *
url_path(const char *url)
{
	if (strncasecmp(url, "file://", 7) == 0)
		return url + 7;
	if (strncasecmp(url, "file:", 5) == 0)
		return url + 5;
	return url;
}

const char *
url_protocols(UrlKind kind)
{
	switch (kind)
	{
		case URL_RTSP:
			return "rtp,srtp,udp,tcp,tls";
		case URL_HTTP:
			return "http,https,tcp,tls";
		case URL_FILE:
			return "file";
		case URL_DEVICE:
			break;
	}
	return NULL;
}

/*
 * Demuxers of streams and recordings.  None of those that open further files by
 * name (concat, image2, playlists in local files) or run scripts.
 */
#define CONTAINERS                                                                                 \
	"mov,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,ivf,h264,hevc,m4v,obu,av1,mjpeg,mpjpeg"

const char *
url_formats(UrlKind kind)
{
	switch (kind)
	{
		case URL_RTSP:
			return "rtsp,rtp,sdp,mpegts";
		case URL_HTTP:
			return CONTAINERS ",hls";
		case URL_FILE:
			return CONTAINERS;
		case URL_DEVICE:
			break;
	}
	return "video4linux2,v4l2";
}

static int
hex_digit(char c)
{
	if (isdigit((unsigned char) c))
		return c - '0';
	if (isxdigit((unsigned char) c))
		return tolower((unsigned char) c) - 'a' + 10;
	return -1;
}

static char *
percent_decode(const char *text, size_t length)
{
	char *decoded = malloc(length + 1);
	char *out = decoded;

	if (decoded == NULL)
		return NULL;
	for (size_t i = 0; i < length; i++)
	{
		bool escape = text[i] == '%' && i + 2 < length;
		int high = escape ? hex_digit(text[i + 1]) : -1;
		int low = escape ? hex_digit(text[i + 2]) : -1;

		/* %00 would end the string. */
		if (high >= 0 && low >= 0 && (high | low) != 0)
		{
			*out++ = (char) (high * 16 + low);
			i += 2;
		}
		else
			*out++ = text[i];
	}
	*out = '\0';
	return decoded;
}

/* Write text percent-encoded (all but RFC 3986's unreserved); returns the end. */
static char *
percent_encode(char *out, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++)
	{
		if (isalnum(*p) || strchr("-._~", *p) != NULL)
			*out++ = (char) *p;
		else
		{
			*out++ = '%';
			*out++ = digits[*p >> 4];
			*out++ = digits[*p & 15];
		}
	}
	return out;
}

bool
url_take_credentials(const char *url, char **bare, char **username, char **password)
{
	const char *authority = strstr(url, "://");
	const char *at = NULL;
	const char *colon = NULL;

	*username = NULL;
	*password = NULL;
	*bare = strdup(url);
	if (*bare == NULL)
		return false;
	if (authority == NULL || *url_path(url) == '/')
		return true;
	authority += 3;
	for (const char *p = authority; *p != '\0' && *p != '/' && *p != '?' && *p != '#'; p++)
		if (*p == '@')
			at = p;
	if (at == NULL)
		return true;
	colon = memchr(authority, ':', at - authority);
	if (colon == NULL)
		colon = at;
	*username = percent_decode(authority, colon - authority);
	if (colon < at)
		*password = percent_decode(colon + 1, at - colon - 1);
	strcpy(*bare + (authority - url), at + 1);
	if (*username != NULL && (*password != NULL || colon == at))
		return true;
	free(*bare);
	free(*username);
	free(*password);
	*bare = *username = *password = NULL;
	return false;
}

char *
url_with_credentials(const char *url, const char *username, const char *password)
{
	const char *authority = strstr(url, "://");
	size_t size = strlen(url) + 3;
	char *full;
	char *out;

	if (authority == NULL || username == NULL)
		return strdup(url);
	size += 3 * strlen(username) + 3 * (password != NULL ? strlen(password) : 0);
	if ((full = malloc(size)) == NULL)
		return NULL;
	authority += 3;
	memcpy(full, url, authority - url);
	out = percent_encode(full + (authority - url), username);
	if (password != NULL)
	{
		*out++ = ':';
		out = percent_encode(out, password);
	}
	*out++ = '@';
	strcpy(out, authority);
	return full;
}

char *
url_query(const char *url, const char *key)
{
	size_t length = strlen(key);
	const char *part = strchr(url, '?');

	while (part != NULL)
	{
		part++;
		if (strncmp(part, key, length) == 0 && part[length] == '=')
			return percent_decode(part + length + 1, strcspn(part + length + 1, "&#"));
		part = strchr(part, '&');
	}
	return NULL;
}
