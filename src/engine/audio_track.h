/*
 * audio_track.h
 *		A camera's sound made fit for MP4: AAC, MP3 and Opus as they are, G.711 and
 *		plain PCM as AAC.
 *
 * Packets go in and come out with times in microseconds on one line.
 */
#ifndef CCTV_AUDIO_TRACK_H
#define CCTV_AUDIO_TRACK_H

#include <libavcodec/codec_par.h>
#include <libavcodec/packet.h>

typedef struct AudioTrack AudioTrack;

/*
 * Returns NULL when the sound cannot be kept; *reason (a static text) says why.
 */
extern AudioTrack *audio_track_create(const AVCodecParameters *source, const char **reason);
extern void audio_track_free(AudioTrack *track);

/* What comes out; the track's own. */
extern const AVCodecParameters *audio_track_parameters(const AudioTrack *track);

/*
 * Give it a packet, which is consumed, then take packets until
 * AVERROR(EAGAIN).  A packet that makes no sense is dropped.  Return 0 or an
 * AVERROR.
 */
extern int audio_track_send(AudioTrack *track, AVPacket *packet);
extern int audio_track_receive(AudioTrack *track, AVPacket *packet);

#endif /* CCTV_AUDIO_TRACK_H */
