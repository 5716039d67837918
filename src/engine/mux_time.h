/*
 * mux_time.h
 *		Timestamps as a muxer needs them, from timestamps as cameras send them.
 *
 * What comes out is in microseconds on one continuous line for video and audio:
 * complete, with strictly increasing dts in each stream and pts >= dts.  What
 * comes in may lack either stamp (the first packets of RTSP), have a dts that
 * contradicts its pts (B-frames), wrap or jump (a camera that sets its clock).
 * A jump is told from a gap by the packets' own times (at_us): where both moved
 * alike, time has passed.
 */
#ifndef CCTV_MUX_TIME_H
#define CCTV_MUX_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "packet_ring.h"

/* The deepest reordering that H.264 and HEVC allow. */
#define MUX_TIME_MAX_DELAY 16

/*
 * The least distance between two packets of a stream, in microseconds: more than a
 * tick of 90 kHz or 8 kHz.  Muxers refuse packets whose dts are the same tick.
 */
#define MUX_TIME_TICK_US 126

typedef struct MuxTrackTime
{
	bool begun;
	int64_t last_raw; /* the last packet's pts as it came; AV_NOPTS_VALUE: none */
	int64_t last_at;
	int64_t last_pts; /* on the line */
	int64_t last_dts;
	int64_t offset;							/* line - raw */
	int64_t step;							/* the usual distance between packets */
	int delay;								/* packets by which decoding runs ahead of display */
	bool dts_wrong;							/* the dts that come contradict the pts */
	int64_t newest[MUX_TIME_MAX_DELAY + 1]; /* the highest pts, ascending */
	int nnewest;
} MuxTrackTime;

typedef struct MuxTime
{
	MuxTrackTime tracks[PACKET_KINDS];
	bool begun;
	int64_t base_raw; /* the line's zero, as it came and as it happened */
	int64_t base_at;
} MuxTime;

/* streams give the expected reordering and rate; not kept. */
extern void mux_time_init(MuxTime *time, const PacketStreams *streams);

/* Begin a new line for the same streams, whose reordering is known by now. */
extern void mux_time_restart(MuxTime *time);

/*
 * Put the stamps of a packet (in time_base) on the line: its pts, dts and
 * duration are in microseconds afterwards.  Returns true when the line does not
 * follow from the stamps, or a gap lies before the packet.
 */
extern bool mux_time_apply(MuxTime *time, PacketKind kind, AVPacket *packet, AVRational time_base,
						   int64_t at_us);

#endif /* CCTV_MUX_TIME_H */
