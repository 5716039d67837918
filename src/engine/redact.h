/*
 * redact.h
 *		Text that is safe to log: no credentials, no control characters.
 */
#ifndef CCTV_REDACT_H
#define CCTV_REDACT_H

#include <stddef.h>

/*
 * Copy text into out (size > 0 bytes, NUL included; longer text is cut at a
 * character's edge) without the credentials of any URL in it (user:password@,
 * and the values of query parameters named like secrets), without what follows
 * "Authorization:", and with "?" for control characters and bytes that are not
 * UTF-8.
 */
extern void redact(const char *text, char *out, size_t size);

#endif /* CCTV_REDACT_H */
