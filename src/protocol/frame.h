/*
 * frame.h
 *		Requests of backends to an engine, and its answers: framing.
 *
 * A frame is a header of fixed size, JSON in UTF-8, then bytes (a picture).
 * A connection carries one request and one answer, each one frame; before an
 * answer that takes long, frames say how far it has come.  Each side
 * takes what the other sends for hostile.  Neither postgres.h nor a media
 * header may be needed here; nothing is allocated.
 */
#ifndef CCTV_FRAME_H
#define CCTV_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define CCTV_FRAME_MAGIC 0x51544343 /* "CCTQ" */
#define CCTV_FRAME_VERSION 1

/* Magic, version, kind, length of the JSON, length of the bytes; little-endian. */
#define CCTV_FRAME_HEADER 16

#define CCTV_FRAME_MAX_JSON (1024 * 1024)
#define CCTV_FRAME_MAX_BINARY (256 * 1024 * 1024)

/* What a frame is. docs/protocol.md has the members of its JSON. */
typedef enum CctvFrameKind
{
	CCTV_REQUEST_ANALYZE = 1,
	CCTV_REQUEST_PROBE = 2,
	CCTV_REQUEST_LIVE_FRAME = 3,
	CCTV_REQUEST_SNAPSHOT = 4,
	CCTV_REQUEST_CHECK_MODEL = 5,
	CCTV_REQUEST_EXPORT = 6,
	CCTV_REQUEST_THUMBNAIL = 7,
	CCTV_ANSWER = 100,	/* to what was asked */
	CCTV_ERROR = 101,	/* code, message, and perhaps detail and hint */
	CCTV_PROGRESS = 102 /* how far what was asked has come; an answer follows */
} CctvFrameKind;

/* Values of "code" in an error. */
#define CCTV_ERROR_INVALID "invalid"		 /* an argument makes no sense */
#define CCTV_ERROR_UNKNOWN "unknown"		 /* what is asked about is not here */
#define CCTV_ERROR_NOT_AN_IMAGE "image"		 /* the bytes are no picture */
#define CCTV_ERROR_TOO_LARGE "large"		 /* beyond a limit */
#define CCTV_ERROR_UNAVAILABLE "unavailable" /* not at present */
#define CCTV_ERROR_UNREACHABLE "unreachable" /* what is on the network */
#define CCTV_ERROR_UNFIT "unfit"			 /* a model's file or outputs */
#define CCTV_ERROR_FAILED "failed"			 /* the fault is the engine's */

typedef struct CctvFrameHeader
{
	uint16_t kind; /* any number: whoever reads it decides */
	uint32_t json_length;
	uint32_t binary_length;
} CctvFrameHeader;

/* The lengths must be within the limits. */
extern void cctv_frame_pack(const CctvFrameHeader *header, unsigned char out[CCTV_FRAME_HEADER]);

/* Returns NULL, or what is wrong with the header. */
extern const char *cctv_frame_unpack(const unsigned char in[CCTV_FRAME_HEADER],
									 CctvFrameHeader *header);

/*
 * A frame that is read piece by piece, as the socket gives it: ask where the
 * next bytes go, read at most that many there, say how many came.  Between
 * header and body the reader gives the body its memory.
 */
typedef enum CctvFrameState
{
	CCTV_FRAME_IN_HEADER,
	CCTV_FRAME_NEEDS_BODY, /* header is filled in; call cctv_frame_set_body */
	CCTV_FRAME_IN_BODY,
	CCTV_FRAME_COMPLETE,
	CCTV_FRAME_BROKEN /* problem says why */
} CctvFrameState;

typedef struct CctvFrameReader
{
	CctvFrameState state;
	CctvFrameHeader header;
	const char *problem;
	unsigned char *body; /* json_length bytes of JSON, then binary_length bytes */
	size_t filled;		 /* of the header, then of the body */
	unsigned char raw[CCTV_FRAME_HEADER];
} CctvFrameReader;

extern void cctv_frame_begin(CctvFrameReader *reader);

/* Bytes of JSON and binary together. */
extern size_t cctv_frame_body_length(const CctvFrameHeader *header);

/* body has room for cctv_frame_body_length bytes, and stays the caller's. */
extern void cctv_frame_set_body(CctvFrameReader *reader, unsigned char *body);

/* Where the next bytes go; returns how many are wanted, 0 when none are at present. */
extern size_t cctv_frame_want(CctvFrameReader *reader, unsigned char **where);

/* So many bytes of those wanted have come.  Returns the new state. */
extern CctvFrameState cctv_frame_took(CctvFrameReader *reader, size_t count);

/* The parts of a complete frame. */
extern const char *cctv_frame_json(const CctvFrameReader *reader);
extern const unsigned char *cctv_frame_binary(const CctvFrameReader *reader);

#endif /* CCTV_FRAME_H */
