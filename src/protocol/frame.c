/*
 * frame.c
 *		Requests of backends to an engine, and its answers: framing.
 */
#include "frame.h"

static void
put16(unsigned char *out, uint16_t value)
{
	out[0] = (unsigned char) value;
	out[1] = (unsigned char) (value >> 8);
}

static void
put32(unsigned char *out, uint32_t value)
{
	put16(out, (uint16_t) value);
	put16(out + 2, (uint16_t) (value >> 16));
}

static uint16_t
get16(const unsigned char *in)
{
	return (uint16_t) (in[0] | in[1] << 8);
}

static uint32_t
get32(const unsigned char *in)
{
	return get16(in) | (uint32_t) get16(in + 2) << 16;
}

void
cctv_frame_pack(const CctvFrameHeader *header, unsigned char out[CCTV_FRAME_HEADER])
{
	put32(out, CCTV_FRAME_MAGIC);
	put16(out + 4, CCTV_FRAME_VERSION);
	put16(out + 6, header->kind);
	put32(out + 8, header->json_length);
	put32(out + 12, header->binary_length);
}

const char *
cctv_frame_unpack(const unsigned char in[CCTV_FRAME_HEADER], CctvFrameHeader *header)
{
	header->kind = get16(in + 6);
	header->json_length = get32(in + 8);
	header->binary_length = get32(in + 12);
	if (get32(in) != CCTV_FRAME_MAGIC)
		return "it does not begin as a frame";
	if (get16(in + 4) != CCTV_FRAME_VERSION)
		return "it is of another version";
	if (header->json_length > CCTV_FRAME_MAX_JSON)
		return "its JSON is too long";
	if (header->binary_length > CCTV_FRAME_MAX_BINARY)
		return "its binary part is too long";
	return NULL;
}

void
cctv_frame_begin(CctvFrameReader *reader)
{
	reader->state = CCTV_FRAME_IN_HEADER;
	reader->header = (CctvFrameHeader){0, 0, 0};
	reader->problem = NULL;
	reader->body = NULL;
	reader->filled = 0;
}

size_t
cctv_frame_body_length(const CctvFrameHeader *header)
{
	return (size_t) header->json_length + header->binary_length;
}

void
cctv_frame_set_body(CctvFrameReader *reader, unsigned char *body)
{
	reader->body = body;
	reader->filled = 0;
	reader->state =
		cctv_frame_body_length(&reader->header) > 0 ? CCTV_FRAME_IN_BODY : CCTV_FRAME_COMPLETE;
}

size_t
cctv_frame_want(CctvFrameReader *reader, unsigned char **where)
{
	switch (reader->state)
	{
		case CCTV_FRAME_IN_HEADER:
			*where = reader->raw + reader->filled;
			return CCTV_FRAME_HEADER - reader->filled;
		case CCTV_FRAME_IN_BODY:
			*where = reader->body + reader->filled;
			return cctv_frame_body_length(&reader->header) - reader->filled;
		case CCTV_FRAME_NEEDS_BODY:
		case CCTV_FRAME_COMPLETE:
		case CCTV_FRAME_BROKEN:
			break;
	}
	*where = NULL;
	return 0;
}

CctvFrameState
cctv_frame_took(CctvFrameReader *reader, size_t count)
{
	reader->filled += count;
	if (reader->state == CCTV_FRAME_IN_HEADER && reader->filled == CCTV_FRAME_HEADER)
	{
		reader->problem = cctv_frame_unpack(reader->raw, &reader->header);
		reader->state = reader->problem == NULL ? CCTV_FRAME_NEEDS_BODY : CCTV_FRAME_BROKEN;
	}
	else if (reader->state == CCTV_FRAME_IN_BODY &&
			 reader->filled == cctv_frame_body_length(&reader->header))
		reader->state = CCTV_FRAME_COMPLETE;
	return reader->state;
}

const char *
cctv_frame_json(const CctvFrameReader *reader)
{
	return (const char *) reader->body;
}

const unsigned char *
cctv_frame_binary(const CctvFrameReader *reader)
{
	return reader->body + reader->header.json_length;
}
