/*
 * packet_ring.c
 *		The newest packets of one camera's stream.
 */
#include "packet_ring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <libavutil/error.h>

#include "thread.h"

#define INITIAL_SLOTS 256

/* A PacketStreams and its count of references. */
typedef struct CountedStreams
{
	PacketStreams streams;
	atomic_int references;
} CountedStreams;

typedef struct Slot
{
	AVPacket *packet;
	PacketStreams *streams;
	PacketKind kind;
	bool key;
	int64_t at_us;
	size_t bytes;
} Slot;

/*
 * Slots are a circular array that grows; packet `number` lies in slot
 * number % capacity, and capacity is a power of two.
 */
struct PacketRing
{
	pthread_mutex_t lock;
	pthread_cond_t pushed;
	PacketStreams *streams; /* of packets to come */
	bool begun;				/* a keyframe has come */
	Slot *slots;
	size_t capacity;
	uint64_t first;		 /* number of the oldest packet held */
	uint64_t next;		 /* number that the next packet will have */
	uint64_t second_key; /* the oldest keyframe after `first`; 0: none */
	uint64_t broken;	 /* number of the first packet after the last break */
	size_t bytes;
	size_t max_bytes;
	int64_t max_us;
};

PacketStreams *
packet_streams_create(const AVCodecParameters *video, AVRational video_time_base,
					  const AVCodecParameters *audio, AVRational audio_time_base)
{
	const AVCodecParameters *sources[PACKET_KINDS] = {video, audio};
	CountedStreams *counted = calloc(1, sizeof(*counted));
	PacketStreams *streams;

	if (counted == NULL)
		return NULL;
	atomic_init(&counted->references, 1);
	streams = &counted->streams;
	streams->time_base[PACKET_VIDEO] = video_time_base;
	streams->time_base[PACKET_AUDIO] = audio_time_base;
	for (int kind = 0; kind < PACKET_KINDS; kind++)
	{
		if (sources[kind] == NULL)
			continue;
		streams->parameters[kind] = avcodec_parameters_alloc();
		if (streams->parameters[kind] == NULL ||
			avcodec_parameters_copy(streams->parameters[kind], sources[kind]) < 0)
		{
			packet_streams_unref(&streams);
			return NULL;
		}
	}
	return streams;
}

PacketStreams *
packet_streams_ref(PacketStreams *streams)
{
	if (streams != NULL)
		atomic_fetch_add(&((CountedStreams *) streams)->references, 1);
	return streams;
}

void
packet_streams_unref(PacketStreams **streams)
{
	CountedStreams *counted = (CountedStreams *) *streams;

	*streams = NULL;
	if (counted == NULL || atomic_fetch_sub(&counted->references, 1) > 1)
		return;
	for (int kind = 0; kind < PACKET_KINDS; kind++)
		avcodec_parameters_free(&counted->streams.parameters[kind]);
	free(counted);
}

PacketRing *
packet_ring_create(size_t max_bytes, int64_t max_us)
{
	PacketRing *ring = calloc(1, sizeof(*ring));

	if (ring == NULL)
		return NULL;
	ring->slots = calloc(INITIAL_SLOTS, sizeof(*ring->slots));
	if (ring->slots == NULL)
	{
		free(ring);
		return NULL;
	}
	ring->capacity = INITIAL_SLOTS;
	ring->first = ring->next = 1;
	ring->max_bytes = max_bytes;
	ring->max_us = max_us;
	pthread_mutex_init(&ring->lock, NULL);
	thread_cond_init(&ring->pushed);
	return ring;
}

static Slot *
slot_of(PacketRing *ring, uint64_t number)
{
	return &ring->slots[number & (ring->capacity - 1)];
}

static void
evict_oldest(PacketRing *ring)
{
	Slot *slot = slot_of(ring, ring->first++);

	ring->bytes -= slot->bytes;
	av_packet_free(&slot->packet);
	packet_streams_unref(&slot->streams);
}

/* Number of the oldest packet at which a reader may begin. */
static uint64_t
begin_of(const PacketRing *ring)
{
	return ring->first > ring->broken ? ring->first : ring->broken;
}

/* Number of the oldest keyframe from `number` on, or 0. */
static uint64_t
find_key(PacketRing *ring, uint64_t number)
{
	for (; number < ring->next; number++)
		if (slot_of(ring, number)->key)
			return number;
	return 0;
}

void
packet_ring_free(PacketRing *ring)
{
	if (ring == NULL)
		return;
	while (ring->first < ring->next)
		evict_oldest(ring);
	packet_streams_unref(&ring->streams);
	pthread_cond_destroy(&ring->pushed);
	pthread_mutex_destroy(&ring->lock);
	free(ring->slots);
	free(ring);
}

/* Drop the packets before the second keyframe: the oldest group of pictures. */
static void
evict_group(PacketRing *ring)
{
	uint64_t key = ring->second_key;

	while (ring->first < key)
		evict_oldest(ring);
	ring->second_key = find_key(ring, key + 1);
}

/*
 * Keep the bounds.  A group too large for the ring loses its beginning: readers
 * under way in it go on, and none can begin there.
 */
static void
keep_bounds(PacketRing *ring)
{
	while (ring->second_key != 0 &&
		   (ring->bytes > ring->max_bytes ||
			slot_of(ring, ring->next - 1)->at_us - slot_of(ring, ring->second_key)->at_us >=
				ring->max_us))
		evict_group(ring);
	while (ring->bytes > ring->max_bytes && ring->first < ring->next)
		evict_oldest(ring);
}

void
packet_ring_set_bounds(PacketRing *ring, size_t max_bytes, int64_t max_us)
{
	pthread_mutex_lock(&ring->lock);
	ring->max_bytes = max_bytes;
	ring->max_us = max_us;
	keep_bounds(ring);
	pthread_mutex_unlock(&ring->lock);
}

void
packet_ring_set_streams(PacketRing *ring, PacketStreams *streams)
{
	pthread_mutex_lock(&ring->lock);
	packet_streams_unref(&ring->streams);
	ring->streams = packet_streams_ref(streams);
	pthread_mutex_unlock(&ring->lock);
}

int
packet_ring_break(PacketRing *ring)
{
	PacketStreams *streams = NULL;
	int result = 0;

	if (ring->streams != NULL)
	{
		AVCodecParameters *const *parameters = ring->streams->parameters;
		const AVRational *time_base = ring->streams->time_base;

		streams = packet_streams_create(parameters[PACKET_VIDEO], time_base[PACKET_VIDEO],
										parameters[PACKET_AUDIO], time_base[PACKET_AUDIO]);
		if (streams == NULL)
			result = AVERROR(ENOMEM);
		else
			packet_ring_set_streams(ring, streams);
		packet_streams_unref(&streams);
	}
	pthread_mutex_lock(&ring->lock);
	ring->broken = ring->next;
	pthread_mutex_unlock(&ring->lock);
	return result;
}

static int
grow(PacketRing *ring)
{
	size_t capacity = ring->capacity * 2;
	Slot *slots = calloc(capacity, sizeof(*slots));

	if (slots == NULL)
		return AVERROR(ENOMEM);
	for (uint64_t number = ring->first; number < ring->next; number++)
		slots[number & (capacity - 1)] = *slot_of(ring, number);
	free(ring->slots);
	ring->slots = slots;
	ring->capacity = capacity;
	return 0;
}

/*
 * The memory that a packet keeps alive: its whole buffer, which may be larger
 * than what it shows of it, and what describes it.
 */
static size_t
memory_of(const AVPacket *packet)
{
	size_t bytes = sizeof(AVPacket) + sizeof(Slot);

	bytes += packet->buf != NULL ? packet->buf->size : (size_t) packet->size;
	for (int i = 0; i < packet->side_data_elems; i++)
		bytes += packet->side_data[i].size;
	return bytes;
}

int
packet_ring_push(PacketRing *ring, PacketKind kind, const AVPacket *packet, int64_t at_us)
{
	bool key = kind == PACKET_VIDEO && (packet->flags & AV_PKT_FLAG_KEY) != 0;
	AVPacket *reference;
	Slot *slot;

	/* Only the pushing thread changes what is looked at before the lock. */
	if (ring->streams == NULL)
		return AVERROR(EINVAL);
	if (!ring->begun && !key)
		return 0;
	ring->begun = true;
	reference = av_packet_clone(packet);
	if (reference == NULL)
		return AVERROR(ENOMEM);
	pthread_mutex_lock(&ring->lock);
	if (ring->next - ring->first == ring->capacity && grow(ring) < 0)
	{
		pthread_mutex_unlock(&ring->lock);
		av_packet_free(&reference);
		return AVERROR(ENOMEM);
	}
	slot = slot_of(ring, ring->next);
	*slot = (Slot){
		.packet = reference,
		.streams = packet_streams_ref(ring->streams),
		.kind = kind,
		.key = key,
		.at_us = at_us,
		.bytes = memory_of(reference),
	};
	if (slot->key && ring->second_key == 0 && ring->next > ring->first)
		ring->second_key = ring->next;
	ring->bytes += slot->bytes;
	ring->next++;
	keep_bounds(ring);
	pthread_cond_broadcast(&ring->pushed);
	pthread_mutex_unlock(&ring->lock);
	return 0;
}

uint64_t
packet_ring_newest(PacketRing *ring)
{
	uint64_t newest;

	pthread_mutex_lock(&ring->lock);
	newest = ring->next - 1;
	pthread_mutex_unlock(&ring->lock);
	return newest;
}

void
packet_ring_stats(PacketRing *ring, PacketRingStats *stats)
{
	pthread_mutex_lock(&ring->lock);
	*stats = (PacketRingStats){
		.packets = ring->next - ring->first,
		.bytes = ring->bytes,
		.newest_us = INT64_MIN,
		.pushed = ring->next - 1,
	};
	if (ring->first < ring->next)
	{
		stats->newest_us = slot_of(ring, ring->next - 1)->at_us;
		stats->span_us = stats->newest_us - slot_of(ring, ring->first)->at_us;
	}
	pthread_mutex_unlock(&ring->lock);
}

int
ring_packet_init(RingPacket *packet)
{
	*packet = (RingPacket){.packet = av_packet_alloc()};
	return packet->packet != NULL ? 0 : AVERROR(ENOMEM);
}

void
ring_packet_clear(RingPacket *packet)
{
	av_packet_unref(packet->packet);
	packet_streams_unref(&packet->streams);
}

void
ring_packet_free(RingPacket *packet)
{
	av_packet_free(&packet->packet);
	packet_streams_unref(&packet->streams);
}

bool
ring_packet_is_key(const RingPacket *packet)
{
	return packet->kind == PACKET_VIDEO && (packet->packet->flags & AV_PKT_FLAG_KEY) != 0;
}

void
ring_reader_init(RingReader *reader, PacketRing *ring)
{
	*reader = (RingReader){.ring = ring};
}

static void
place(RingReader *reader, uint64_t number)
{
	reader->next = number;
	reader->gap = 0;
	reader->needs_key = false;
}

bool
ring_reader_seek(RingReader *reader, int64_t at_us, uint64_t first)
{
	PacketRing *ring = reader->ring;
	uint64_t found = 0;

	pthread_mutex_lock(&ring->lock);
	if (first < begin_of(ring))
		first = begin_of(ring);
	for (uint64_t number = first; number < ring->next; number++)
	{
		Slot *slot = slot_of(ring, number);

		if (slot->key && (found == 0 || slot->at_us <= at_us))
			found = number;
	}
	pthread_mutex_unlock(&ring->lock);
	if (found == 0)
		return false;
	place(reader, found);
	return true;
}

bool
ring_reader_seek_before(RingReader *reader, uint64_t number)
{
	PacketRing *ring = reader->ring;
	bool found = false;

	pthread_mutex_lock(&ring->lock);
	if (number > ring->next)
		number = ring->next;
	while (!found && number > ring->first)
		found = slot_of(ring, --number)->key;
	pthread_mutex_unlock(&ring->lock);
	if (found)
		place(reader, number);
	return found;
}

/* Bring a reader that was overtaken to the next keyframe, counting what it lost. */
static void
resynchronise(PacketRing *ring, RingReader *reader)
{
	uint64_t from = reader->next < ring->first ? ring->first : reader->next;
	uint64_t key = find_key(ring, from);
	uint64_t next = key != 0 ? key : ring->next;

	reader->gap += next - reader->next;
	reader->lost += next - reader->next;
	reader->next = next;
	reader->needs_key = key == 0;
}

int
ring_reader_next(RingReader *reader, RingPacket *packet)
{
	PacketRing *ring = reader->ring;
	Slot *slot;
	int result = 0;

	ring_packet_clear(packet);
	packet->lost = 0;
	pthread_mutex_lock(&ring->lock);
	if (reader->next == 0)
		reader->next = find_key(ring, begin_of(ring));
	else if (reader->needs_key || reader->next < ring->first)
		resynchronise(ring, reader);

	if (reader->next != 0 && reader->next < ring->next)
	{
		slot = slot_of(ring, reader->next);
		result = av_packet_ref(packet->packet, slot->packet);
		if (result == 0)
		{
			packet->streams = packet_streams_ref(slot->streams);
			packet->kind = slot->kind;
			packet->at_us = slot->at_us;
			packet->number = reader->next++;
			packet->lost = reader->gap;
			reader->gap = 0;
			result = 1;
		}
	}
	pthread_mutex_unlock(&ring->lock);
	return result;
}

void
ring_reader_wait(RingReader *reader, int64_t deadline_us)
{
	PacketRing *ring = reader->ring;

	pthread_mutex_lock(&ring->lock);
	while (reader->next >= ring->next || reader->next == 0)
		if (thread_cond_wait_until(&ring->pushed, &ring->lock, deadline_us) != 0 ||
			reader->next == 0)
			break;
	pthread_mutex_unlock(&ring->lock);
}
