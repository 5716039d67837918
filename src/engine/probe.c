/*
 * probe.c
 *		A request: what streams at this address?
 *
 * Candidates are tried concurrently.  Those of one door (a port) share its
 * fate: nothing is tried at a door at which nobody listens, and a server that
 * refuses the password is not asked again, since cameras lock out who insists.
 * A resolver may block for longer than the request lasts, so a probe belongs to
 * all of its threads, and to the last of them.
 */
#include "request.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "probe_candidates.h"
#include "probe_trial.h"
#include "thread.h"
#include "url.h"

#define THREADS 10	   /* of one probe */
#define MAX_THREADS 40 /* of all, those that hang in a resolver included */
#define MAX_DOORS 8

/* Cameras serve few connections at a time. */
#define AT_ONCE 3

/* Some servers show the same picture at any path. */
#define ENOUGH 4

/* What one candidate of many may take. */
#define TRIAL_US (4 * CLOCK_SECOND)
#define KNOCK_US (2 * CLOCK_SECOND)

/* To answer before the time is over. */
#define RESERVE_US (CLOCK_SECOND / 5)

typedef enum DoorState
{
	DOOR_UNKNOWN,
	DOOR_KNOCKED_AT, /* one thread does */
	DOOR_OPEN,
	DOOR_CLOSED
} DoorState;

typedef struct Door
{
	DoorState state;
	bool answered; /* in whatever words */
	int running;
	int found;
	char reason[TRIAL_REASON]; /* why it was closed */
} Door;

typedef struct Probe
{
	atomic_int references;
	atomic_bool stop;
	const StringList *source_paths;
	int64_t deadline_us;
	char *address; /* without credentials */
	char *username;
	char *password;
	int count;
	Candidate candidates[CANDIDATES_MAX_COUNT];

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool taken[CANDIDATES_MAX_COUNT];
	Trial trials[CANDIDATES_MAX_COUNT];
	Door doors[MAX_DOORS];
	int threads; /* that are still at it */
} Probe;

static atomic_int all_threads;

static void
erase(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void
release(Probe *probe)
{
	if (--probe->references > 0)
		return;
	pthread_cond_destroy(&probe->changed);
	pthread_mutex_destroy(&probe->lock);
	free(probe->address);
	erase(probe->username);
	erase(probe->password);
	free(probe);
}

/* ---- the trials ---- */

/* With the lock held: a candidate to try, or to knock for; -1: none at present. */
static int
next_candidate(Probe *probe)
{
	for (int i = 0; i < probe->count; i++)
	{
		Door *door = &probe->doors[probe->candidates[i].door];

		if (probe->taken[i] || door->found >= ENOUGH)
			continue;
		if (door->state == DOOR_UNKNOWN ||
			(door->state == DOOR_OPEN && door->running < (door->answered ? AT_ONCE : 1)))
			return i;
	}
	return -1;
}

static bool
is_busy(const Probe *probe)
{
	for (int i = 0; i < MAX_DOORS; i++)
		if (probe->doors[i].state == DOOR_KNOCKED_AT || probe->doors[i].running > 0)
			return true;
	return false;
}

static TrialTerms
terms_of(Probe *probe, int64_t limit_us)
{
	int64_t deadline_us = clock_monotonic_us() + limit_us;

	/* Who asks for just one thing waits for it. */
	if (probe->count == 1 || deadline_us > probe->deadline_us)
		deadline_us = probe->deadline_us;
	return (TrialTerms){probe->username, probe->password, probe->source_paths, &probe->stop,
						deadline_us};
}

static void
close_door(Door *door, const Trial *trial)
{
	door->state = DOOR_CLOSED;
	snprintf(door->reason, sizeof(door->reason), "%s", trial->reason);
}

/* With the lock held, which is released meanwhile. */
static void
knock(Probe *probe, int index)
{
	Door *door = &probe->doors[probe->candidates[index].door];
	TrialTerms terms = terms_of(probe, KNOCK_US);
	Trial trial = {0};

	door->state = DOOR_KNOCKED_AT;
	pthread_mutex_unlock(&probe->lock);
	trial_knock(probe->candidates[index].url, &terms, &trial);
	pthread_mutex_lock(&probe->lock);
	if (trial.streams)
		door->state = DOOR_OPEN;
	else
		close_door(door, &trial);
}

/* The same. */
static void
try_candidate(Probe *probe, int index)
{
	const Candidate *candidate = &probe->candidates[index];
	Door *door = &probe->doors[candidate->door];
	TrialTerms terms = terms_of(probe, TRIAL_US);
	Trial trial = {0};

	probe->taken[index] = true;
	door->running++;
	pthread_mutex_unlock(&probe->lock);
	if (candidate->still)
		trial_still(candidate->url, &terms, &trial);
	else
		trial_stream(candidate->url, &terms, &trial);
	pthread_mutex_lock(&probe->lock);
	door->running--;
	door->found += trial.streams;
	probe->trials[index] = trial;
	if (trial_was_denied(&trial) || (trial_timed_out(&trial) && !door->answered))
		close_door(door, &trial);
	else
		door->answered = true;
}

static void *
try_candidates(void *arg)
{
	Probe *probe = arg;

	log_mute_ffmpeg();
	pthread_mutex_lock(&probe->lock);
	while (!probe->stop)
	{
		int index = next_candidate(probe);

		if (index >= 0 && probe->doors[probe->candidates[index].door].state == DOOR_UNKNOWN)
			knock(probe, index);
		else if (index >= 0)
			try_candidate(probe, index);
		else if (is_busy(probe))
		{
			pthread_cond_wait(&probe->changed, &probe->lock);
			continue;
		}
		else
			break;
		pthread_cond_broadcast(&probe->changed);
	}
	probe->threads--;
	pthread_cond_broadcast(&probe->changed);
	pthread_mutex_unlock(&probe->lock);
	release(probe);
	all_threads--;
	return NULL;
}

static void
start_threads(Probe *probe)
{
	int wanted = probe->count < THREADS ? probe->count : THREADS;
	pthread_t thread;

	for (int i = 0; i < wanted; i++)
	{
		if (++all_threads > MAX_THREADS)
		{
			all_threads--;
			break;
		}
		probe->references++;
		probe->threads++;
		if (thread_start(&thread, "probe", try_candidates, probe) != 0)
		{
			probe->references--;
			probe->threads--;
			all_threads--;
			break;
		}
		pthread_detach(thread);
	}
}

/* ---- the answer ---- */

/* Is a better than b?  A stream than a still, RTSP than HTTP, large than small. */
static bool
is_better(const Probe *probe, int a, int b)
{
	const Candidate *first = &probe->candidates[a];
	const Candidate *second = &probe->candidates[b];
	long pixels = (long) probe->trials[a].width * probe->trials[a].height -
				  (long) probe->trials[b].width * probe->trials[b].height;

	if (first->still != second->still)
		return second->still;
	if ((strncmp(first->url, "rtsp", 4) == 0) != (strncmp(second->url, "rtsp", 4) == 0))
		return strncmp(first->url, "rtsp", 4) == 0;
	return pixels != 0 ? pixels > 0 : a < b;
}

static json_t *
describe(const Probe *probe, int index)
{
	const Trial *trial = &probe->trials[index];
	json_t *stream = json_pack("{s:s, s:s, s:i, s:i, s:b}", "url", probe->candidates[index].url,
							   "codec", trial->codec, "width", trial->width, "height",
							   trial->height, "still", probe->candidates[index].still);

	if (stream != NULL && trial->fps > 0)
		json_object_set_new(stream, "fps", json_real(trial->fps));
	return stream;
}

/* The streams that were found, best first. */
static json_t *
describe_found(const Probe *probe)
{
	json_t *streams = json_array();
	int found[CANDIDATES_MAX_COUNT];
	int n = 0;

	for (int i = 0; i < probe->count; i++)
	{
		int place = n;

		if (!probe->trials[i].streams)
			continue;
		for (; place > 0 && is_better(probe, i, found[place - 1]); place--)
			found[place] = found[place - 1];
		found[place] = i;
		n++;
	}
	for (int i = 0; i < n; i++)
		json_array_append_new(streams, describe(probe, found[i]));
	return streams;
}

/* What says most about why nothing was found. */
static const char *
best_reason(const Probe *probe)
{
	const char *reason = "no answer in time";

	for (int i = MAX_DOORS - 1; i >= 0; i--)
		if (probe->doors[i].reason[0] != '\0')
			reason = probe->doors[i].reason;
	for (int i = 0; i < probe->count; i++)
		if (probe->doors[probe->candidates[i].door].answered)
			reason =
				probe->count > 1 ? "none of the usual paths has a stream" : probe->trials[i].reason;
	for (int i = 0; i < probe->count; i++)
		if (trial_was_denied(&probe->trials[i]))
			reason = probe->trials[i].reason;
	return reason;
}

/* With the lock held. */
static void
answer(Request *request, const Probe *probe)
{
	json_t *streams = describe_found(probe);

	if (json_array_size(streams) > 0)
	{
		request_answer(request, json_pack("{s:o}", "streams", streams));
		return;
	}
	json_decref(streams);
	request_fail(request, CCTV_ERROR_UNREACHABLE,
				 probe->count > 1 ? "If you know the whole URL, give that: rtsp://HOST:PORT/PATH."
								  : NULL,
				 "no stream was found at \"%s\": %s", probe->address, best_reason(probe));
}

/* ---- the request ---- */

static char *
copy_argument(const Request *request, const char *name)
{
	const char *value = json_string_value(json_object_get(request->arguments, name));

	return value != NULL ? strdup(value) : NULL;
}

/*
 * Take credentials out of the address; those given apart come first.  False
 * when out of memory.
 */
static bool
read_address(Probe *probe, const char *given)
{
	static const char scheme[] = "rtsp://";
	bool is_url = strstr(given, "://") != NULL || strchr(given, '@') == NULL;
	size_t skip = is_url ? 0 : sizeof(scheme) - 1;
	char *whole = malloc(strlen(given) + sizeof(scheme));
	char *bare = NULL;
	char *username = NULL;
	char *password = NULL;
	bool ok;

	if (whole == NULL)
		return false;
	sprintf(whole, "%s%s", is_url ? "" : scheme, given);
	ok = url_take_credentials(whole, &bare, &username, &password) &&
		 (probe->address = strdup(bare + skip)) != NULL;
	if (probe->username == NULL)
	{
		erase(probe->password);
		probe->username = username;
		probe->password = password;
		username = password = NULL;
	}
	erase(username);
	erase(password);
	erase(whole);
	free(bare);
	return ok;
}

/* NULL, with the request failed, when there is nothing to try. */
static Probe *
make_probe(Request *request)
{
	const char *given = json_string_value(json_object_get(request->arguments, "address"));
	Probe *probe = calloc(1, sizeof(*probe));
	char reason[TRIAL_REASON];

	if (probe == NULL)
	{
		request_fail(request, CCTV_ERROR_FAILED, NULL, "the engine is out of memory");
		return NULL;
	}
	probe->references = 1;
	pthread_mutex_init(&probe->lock, NULL);
	thread_cond_init(&probe->changed);
	probe->source_paths = request->world->source_paths;
	probe->deadline_us = request->deadline_us - RESERVE_US;
	probe->username = copy_argument(request, "username");
	probe->password = copy_argument(request, "password");
	if (given == NULL || !read_address(probe, given))
		request_fail(request, CCTV_ERROR_INVALID, NULL, "there is no address to probe");
	else if ((probe->count =
				  candidates_list(probe->address, probe->candidates, reason, sizeof(reason))) < 0)
		request_fail(request, CCTV_ERROR_INVALID,
					 "Examples: 192.0.2.7, camera.example:8554, rtsp://192.0.2.7/stream1, "
					 "/dev/video0, 0.",
					 "the address cannot be probed: %s", reason);
	else
		return probe;
	release(probe);
	return NULL;
}

void
request_probe(Request *request)
{
	Probe *probe = make_probe(request);

	if (probe == NULL)
		return;
	/* A single URL speaks for itself. */
	if (probe->count == 1)
		probe->doors[0].state = DOOR_OPEN;
	pthread_mutex_lock(&probe->lock);
	start_threads(probe);
	if (probe->threads == 0)
		request_fail(request, CCTV_ERROR_UNAVAILABLE, NULL, "too many addresses are being probed");
	else
	{
		while (probe->threads > 0 && !request->cancelled &&
			   clock_monotonic_us() < probe->deadline_us)
			thread_cond_wait_until(&probe->changed, &probe->lock,
								   clock_monotonic_us() + CLOCK_SECOND / 10);
		probe->stop = true;
		answer(request, probe);
	}
	pthread_cond_broadcast(&probe->changed);
	pthread_mutex_unlock(&probe->lock);
	release(probe);
}
