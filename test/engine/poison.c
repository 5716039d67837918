/*
 * poison.c
 *		A codec that streams can break: what a hostile stream would do to a decoder
 *		with a bug, on demand.  Linked into an engine for tests only, in front of
 *		avcodec_send_packet().
 *
 * A packet that holds "CCTV-POISON=" and a word does what the word says:
 *
 *   segv      writes to address 0
 *   abort     as a failed assertion or a broken heap does
 *   overflow  runs out of stack
 *   hang      never comes back, and uses a processor
 *   hog       keeps 4 MB more with every packet that says so
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>

#define MARK "CCTV-POISON="
#define HOGGED (4 * 1024 * 1024)

extern int __real_avcodec_send_packet(AVCodecContext *codec, const AVPacket *packet);
extern int __wrap_avcodec_send_packet(AVCodecContext *codec, const AVPacket *packet);

static volatile int depth_reached;

static int
dive(int depth)
{
	volatile char frame[4096];

	frame[0] = (char) depth;
	depth_reached = depth;
	return dive(depth + 1) + frame[0];
}

static void
hog(void)
{
	/* Not calloc: pages that nobody wrote to take no memory. */
	char *kept = malloc(HOGGED);

	if (kept != NULL)
		memset(kept, 1, HOGGED);
}

static void
swallow(const char *word, size_t length)
{
	if (length >= 4 && memcmp(word, "segv", 4) == 0)
		*(volatile int *) NULL = 1;
	else if (length >= 5 && memcmp(word, "abort", 5) == 0)
		abort();
	else if (length >= 8 && memcmp(word, "overflow", 8) == 0)
		dive(0);
	else if (length >= 3 && memcmp(word, "hog", 3) == 0)
		hog();
	else if (length >= 4 && memcmp(word, "hang", 4) == 0)
		for (;;)
			depth_reached++;
}

int
__wrap_avcodec_send_packet(AVCodecContext *codec, const AVPacket *packet)
{
	const char *end = packet != NULL ? (const char *) packet->data + packet->size : NULL;
	const char *mark =
		packet != NULL ? memmem(packet->data, packet->size, MARK, strlen(MARK)) : NULL;

	if (mark != NULL)
		swallow(mark + strlen(MARK), end - mark - strlen(MARK));
	return __real_avcodec_send_packet(codec, packet);
}
