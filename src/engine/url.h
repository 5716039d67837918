/*
 * url.h
 *		What kind of source a URL names, and its credentials.
 */
#ifndef CCTV_URL_H
#define CCTV_URL_H

#include <stdbool.h>
#include <stddef.h>

typedef enum UrlKind
{
	URL_RTSP,  /* rtsp:// rtsps:// */
	URL_HTTP,  /* http:// https:// */
	URL_FILE,  /* file:/path or /path */
	URL_DEVICE /* /dev/videoN */
} UrlKind;

/* Returns false with a reason when the engine opens no such source. */
extern bool url_classify(const char *url, UrlKind *kind, char *error, size_t error_size);

/* The path in a URL of kind URL_FILE or URL_DEVICE, within url itself. */
extern const char *url_path(const char *url);

/*
 * The protocols and demuxers that a source of this kind may use, whatever a
 * playlist, a redirect or the content asks for: a stream from the network can
 * never make the engine open a local file.  NULL: none at all.
 */
extern const char *url_protocols(UrlKind kind);
extern const char *url_formats(UrlKind kind);

/*
 * Cut user:password@ out of a network URL.  *bare is malloc'd; so are *username
 * and *password (percent-decoded), which are NULL when the URL has none.
 * Returns false when out of memory.
 */
extern bool url_take_credentials(const char *url, char **bare, char **username, char **password);

/*
 * The URL with credentials put in, percent-encoded: libavformat takes them from
 * nowhere else.  username may be NULL.  malloc'd; NULL when out of memory.
 */
extern char *url_with_credentials(const char *url, const char *username, const char *password);

/*
 * The value of a key in the URL's query, percent-decoded: malloc'd; NULL when it
 * has none, or out of memory.
 */
extern char *url_query(const char *url, const char *key);

#endif /* CCTV_URL_H */
