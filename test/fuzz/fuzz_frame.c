/* Frames of requests and answers, in pieces as a socket gives them. */
#include "fuzz.h"

#include "frame.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CctvFrameReader reader;
	unsigned char *body = NULL;
	size_t at = 0;
	unsigned char packed[CCTV_FRAME_HEADER];

	cctv_frame_begin(&reader);
	while (at < size && reader.state != CCTV_FRAME_BROKEN && reader.state != CCTV_FRAME_COMPLETE)
	{
		unsigned char *where = NULL;
		size_t want = cctv_frame_want(&reader, &where);
		size_t piece = 1 + data[at] % 7;

		CHECK(want > 0 && where != NULL);
		if (piece > want)
			piece = want;
		if (piece > size - at)
			piece = size - at;
		memcpy(where, data + at, piece);
		at += piece;
		if (cctv_frame_took(&reader, piece) != CCTV_FRAME_NEEDS_BODY)
			continue;
		CHECK(reader.header.json_length <= CCTV_FRAME_MAX_JSON);
		CHECK(reader.header.binary_length <= CCTV_FRAME_MAX_BINARY);
		/* What was packed from it is the header that came. */
		cctv_frame_pack(&reader.header, packed);
		CHECK(memcmp(packed, reader.raw, sizeof(packed)) == 0);
		/* A length beyond the input is never reached. */
		if (cctv_frame_body_length(&reader.header) > size)
			return 0;
		body = malloc(cctv_frame_body_length(&reader.header) + 1);
		if (body == NULL)
			abort();
		cctv_frame_set_body(&reader, body);
	}
	CHECK(reader.state != CCTV_FRAME_BROKEN || reader.problem != NULL);
	if (reader.state == CCTV_FRAME_COMPLETE && body != NULL)
		CHECK(cctv_frame_binary(&reader) ==
			  (const unsigned char *) cctv_frame_json(&reader) + reader.header.json_length);
	free(body);
	return 0;
}
