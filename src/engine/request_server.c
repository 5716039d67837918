/*
 * request_server.c
 *		Serves backends that connect to the engine's Unix socket.
 *
 * A client belongs to the serving thread, but while it is BUSY its request
 * belongs to the thread of the crew that works on it; the lock guards states
 * and the list.  A client that hangs up is forgotten at once, or as soon as the
 * crew has noticed.
 */
#define _GNU_SOURCE
#include "request_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "request_output.h"
#include "thread.h"

#define MAX_CLIENTS 64
#define CREW 8

/* Bytes of requests in memory: one of the largest always finds room. */
#define MEMORY_BUDGET ((size_t) CCTV_FRAME_MAX_BINARY + CCTV_FRAME_MAX_JSON)

/* What sending a request, and taking its answer, may take at the most. */
#define TRANSFER_US (10 * CLOCK_SECOND)
#define DEFAULT_LIMIT_MS 30000
#define MAX_LIMIT_MS 120000

/* Who waits for what lasts is told this often how far it has come. */
#define NOTE_US (CLOCK_SECOND / 2)

/* At the end: what the crew may take to notice. */
#define STOP_US (3 * CLOCK_SECOND)

typedef enum ClientState
{
	SENDING, /* the request is coming in */
	CROWDED, /* its body waits for room in the budget */
	WAITING, /* for the crew */
	BUSY,	 /* the crew works on it */
	DONE,	 /* the crew is through */
	TAKING	 /* the answer is going out */
} ClientState;

typedef struct Kind
{
	uint16_t kind;
	RequestHandler handler;
	int at_once;  /* requests of this kind in work */
	bool lasting; /* it ends when it is done, however long that takes */
} Kind;

/* Analyses are few at a time, so that cameras have their turn in the pool. */
static const Kind kinds[] = {
	{CCTV_REQUEST_ANALYZE, request_analyze, 2, false},
	{CCTV_REQUEST_PROBE, request_probe, 2, false},
	{CCTV_REQUEST_LIVE_FRAME, request_live_frame, 3, false},
	{CCTV_REQUEST_SNAPSHOT, request_snapshot, 1, false},
	{CCTV_REQUEST_CHECK_MODEL, request_check_model, 1, false},
	{CCTV_REQUEST_EXPORT, request_export, 2, true},
	{CCTV_REQUEST_THUMBNAIL, request_thumbnail, 2, false},
};
#define KINDS ((int) (sizeof(kinds) / sizeof(kinds[0])))

typedef struct Client
{
	TAILQ_ENTRY(Client) link;
	int fd; /* -1: hung up */
	ClientState state;
	int kind; /* index into kinds */
	int64_t deadline_us;
	CctvFrameReader reader;
	size_t reserved; /* of the budget */
	Request request;
	RequestOutput output;
	int64_t note_us; /* when the next note is due */
} Client;

struct RequestServer
{
	const RequestWorld *world;
	int listen_fd;
	int news_fd; /* eventfd: the crew is through with something, or it is over */
	pthread_t thread;
	pthread_t crew[CREW];
	int ncrew;

	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_cond_t idle;
	bool stopping;
	int nbusy;
	int in_work[KINDS];
	int nclients;
	size_t reserved;
	TAILQ_HEAD(, Client) clients; /* oldest first */
};

/* ---- the crew ---- */

/* The oldest request that may be worked on now.  With the lock held. */
static Client *
next_request(RequestServer *server)
{
	Client *client;

	TAILQ_FOREACH(client, &server->clients, link)
	{
		if (client->state == WAITING && server->in_work[client->kind] < kinds[client->kind].at_once)
			return client;
	}
	return NULL;
}

static void *
serve_requests(void *arg)
{
	RequestServer *server = arg;

	thread_step_back();
	pthread_mutex_lock(&server->lock);
	while (!server->stopping)
	{
		Client *client = next_request(server);

		if (client == NULL)
		{
			pthread_cond_wait(&server->work, &server->lock);
			continue;
		}
		client->state = BUSY;
		server->nbusy++;
		server->in_work[client->kind]++;
		pthread_mutex_unlock(&server->lock);
		kinds[client->kind].handler(&client->request);
		pthread_mutex_lock(&server->lock);
		client->state = DONE;
		server->nbusy--;
		server->in_work[client->kind]--;
		/* Another may wait for just this kind. */
		pthread_cond_signal(&server->work);
		pthread_cond_signal(&server->idle);
		eventfd_write(server->news_fd, 1);
	}
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

/* ---- clients: the serving thread, with the lock held ---- */

/* Passwords are in the JSON. */
static void
release_body(RequestServer *server, Client *client)
{
	if (client->reader.body != NULL)
		explicit_bzero(client->reader.body, client->reader.header.json_length);
	free(client->reader.body);
	client->reader.body = NULL;
	server->reserved -= client->reserved;
	client->reserved = 0;
}

static void
free_client(RequestServer *server, Client *client)
{
	TAILQ_REMOVE(&server->clients, client, link);
	server->nclients--;
	if (client->fd >= 0)
		close(client->fd);
	release_body(server, client);
	json_decref(client->request.arguments);
	json_decref(client->request.answer);
	free(client->request.bytes);
	request_output_clear(&client->output);
	free(client);
}

/* Nobody waits for the answer: forget the client, now or when it is DONE. */
static void
hang_up(RequestServer *server, Client *client)
{
	client->request.cancelled = true;
	if (client->state != BUSY)
		free_client(server, client);
	else if (client->fd >= 0)
	{
		close(client->fd);
		client->fd = -1;
	}
}

/* Is the other end a process of our own user?  The socket's mode says so, too. */
static bool
is_trusted(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid();
}

static void
accept_client(RequestServer *server)
{
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	Client *client;

	if (fd < 0)
		return;
	client = is_trusted(fd) ? calloc(1, sizeof(*client)) : NULL;
	if (client == NULL)
	{
		close(fd);
		return;
	}
	client->fd = fd;
	client->state = SENDING;
	client->deadline_us = clock_monotonic_us() + TRANSFER_US;
	client->request.world = server->world;
	cctv_frame_begin(&client->reader);
	TAILQ_INSERT_TAIL(&server->clients, client, link);
	server->nclients++;
}

static void
begin_answer(RequestServer *server, Client *client)
{
	release_body(server, client);
	if (!request_output_answer(&client->output, &client->request))
	{
		free_client(server, client);
		return;
	}
	client->state = TAKING;
	client->deadline_us = clock_monotonic_us() + TRANSFER_US;
}

static int
find_kind(uint16_t number)
{
	for (int i = 0; i < KINDS; i++)
		if (kinds[i].kind == number)
			return i;
	return -1;
}

/* The request is here: hand it to the crew. */
static void
queue_request(RequestServer *server, Client *client)
{
	const CctvFrameHeader *header = &client->reader.header;
	Request *request = &client->request;
	json_int_t limit_ms = DEFAULT_LIMIT_MS;

	client->kind = find_kind(header->kind);
	request->binary = cctv_frame_binary(&client->reader);
	request->binary_length = header->binary_length;
	request->arguments = json_loadb(cctv_frame_json(&client->reader), header->json_length, 0, NULL);
	if (client->kind < 0 || !json_is_object(request->arguments))
	{
		request_fail(request, CCTV_ERROR_INVALID, NULL, "the engine does not know this request");
		begin_answer(server, client);
		return;
	}
	if (json_is_integer(json_object_get(request->arguments, "limit_ms")))
		limit_ms = json_integer_value(json_object_get(request->arguments, "limit_ms"));
	if (limit_ms < 1 || limit_ms > MAX_LIMIT_MS)
		limit_ms = MAX_LIMIT_MS;
	request->deadline_us =
		kinds[client->kind].lasting ? INT64_MAX : clock_monotonic_us() + limit_ms * 1000;
	client->deadline_us = request->deadline_us;
	client->state = WAITING;
	pthread_cond_signal(&server->work);
}

/* The header is here: take the body in, if there is room for it. */
static void
admit_body(RequestServer *server, Client *client)
{
	size_t length = cctv_frame_body_length(&client->reader.header);
	unsigned char *body;

	client->state = CROWDED;
	if (server->reserved + length > MEMORY_BUDGET)
		return;
	body = malloc(length + 1);
	if (body == NULL)
		return;
	client->reserved = length;
	server->reserved += length;
	client->state = SENDING;
	cctv_frame_set_body(&client->reader, body);
	if (client->reader.state == CCTV_FRAME_COMPLETE)
		queue_request(server, client);
}

/* Read what has come of a request. */
static void
read_request(RequestServer *server, Client *client)
{
	while (client->state == SENDING)
	{
		unsigned char *where;
		size_t want = cctv_frame_want(&client->reader, &where);
		ssize_t count = recv(client->fd, where, want, 0);

		if (count < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (count <= 0)
		{
			free_client(server, client);
			return;
		}
		switch (cctv_frame_took(&client->reader, (size_t) count))
		{
			case CCTV_FRAME_NEEDS_BODY:
				admit_body(server, client);
				if (client->state == SENDING)
					break;
				return;
			case CCTV_FRAME_COMPLETE:
				queue_request(server, client);
				return;
			case CCTV_FRAME_BROKEN:
				log_warning("a request was refused: %s", client->reader.problem);
				free_client(server, client);
				return;
			case CCTV_FRAME_IN_HEADER:
			case CCTV_FRAME_IN_BODY:
				break;
		}
	}
}

static void
send_answer(RequestServer *server, Client *client)
{
	if (request_output_send(&client->output, client->fd, &client->request) != OUTPUT_BLOCKED)
		free_client(server, client);
}

/* Tell a client that waits for what lasts how far it is. */
static void
send_note(Client *client, int64_t now)
{
	if (!kinds[client->kind].lasting || client->fd < 0 || now < client->note_us)
		return;
	client->note_us = now + NOTE_US;
	request_output_note(&client->output, client->fd, &client->request);
}

/* What a client's state says about how its socket should be watched. */
static short
interest(const Client *client)
{
	switch (client->state)
	{
		case SENDING:
			return POLLIN;
		case TAKING:
			return POLLOUT;
		case CROWDED:
		case WAITING:
		case BUSY:
		case DONE:
			break;
	}
	return POLLRDHUP;
}

/* Something has happened on the client's socket. */
static void
attend(RequestServer *server, Client *client, short events)
{
	if (client->state == SENDING)
		read_request(server, client);
	else if (client->state == TAKING)
		send_answer(server, client);
	else if (events & (POLLRDHUP | POLLHUP | POLLERR))
		hang_up(server, client);
}

/* What needs no event: answers to begin, bodies to admit, time that is over. */
static void
attend_states(RequestServer *server)
{
	int64_t now = clock_monotonic_us();
	Client *client;
	Client *next;

	for (client = TAILQ_FIRST(&server->clients); client != NULL; client = next)
	{
		next = TAILQ_NEXT(client, link);
		if (client->state == DONE && client->fd < 0)
			free_client(server, client);
		else if (client->state == DONE)
			begin_answer(server, client);
		else if (client->state == WAITING && now >= client->deadline_us)
		{
			request_fail(&client->request, CCTV_ERROR_UNAVAILABLE, NULL,
						 "the engine had no time for the request");
			begin_answer(server, client);
		}
		else if (client->state != WAITING && client->state != BUSY && now >= client->deadline_us)
			free_client(server, client);
		else if (client->state == CROWDED)
			admit_body(server, client);
		else if (client->state == WAITING || client->state == BUSY)
			send_note(client, now);
	}
}

/* ---- the serving thread ---- */

/* Wait for news; returns with the lock held and fds filled for nclients clients. */
static void
wait_for_news(RequestServer *server, struct pollfd *fds, Client **clients, int *nclients)
{
	int n = 0;
	Client *client;
	eventfd_t count;

	pthread_mutex_lock(&server->lock);
	attend_states(server);
	fds[0] = (struct pollfd){.fd = server->news_fd, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = server->nclients < MAX_CLIENTS ? server->listen_fd : -1,
							 .events = POLLIN};
	TAILQ_FOREACH(client, &server->clients, link)
	{
		if (client->fd < 0)
			continue;
		clients[n] = client;
		fds[2 + n++] = (struct pollfd){.fd = client->fd, .events = interest(client)};
	}
	*nclients = n;
	pthread_mutex_unlock(&server->lock);

	/* Deadlines are coarse: a look now and then is enough, and none when nobody is there. */
	if (poll(fds, 2 + n, n > 0 ? NOTE_US / 1000 : -1) < 0)
		for (int i = 0; i < 2 + n; i++)
			fds[i].revents = 0;
	eventfd_read(server->news_fd, &count);
	pthread_mutex_lock(&server->lock);
}

static void *
serve_clients(void *arg)
{
	RequestServer *server = arg;
	struct pollfd fds[2 + MAX_CLIENTS];
	Client *clients[MAX_CLIENTS];
	int nclients;
	bool stopping;

	do
	{
		wait_for_news(server, fds, clients, &nclients);
		for (int i = 0; i < nclients; i++)
			if (fds[2 + i].revents != 0)
				attend(server, clients[i], fds[2 + i].revents);
		if (fds[1].revents & POLLIN)
			accept_client(server);
		stopping = server->stopping;
		pthread_mutex_unlock(&server->lock);
	} while (!stopping);
	return NULL;
}

/* ---- beginning and end ---- */

static void
free_server(RequestServer *server)
{
	while (!TAILQ_EMPTY(&server->clients))
		free_client(server, TAILQ_FIRST(&server->clients));
	if (server->news_fd >= 0)
		close(server->news_fd);
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	pthread_cond_destroy(&server->idle);
	pthread_cond_destroy(&server->work);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

static void
end_crew(RequestServer *server)
{
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	pthread_cond_broadcast(&server->work);
	pthread_mutex_unlock(&server->lock);
	for (int i = 0; i < server->ncrew; i++)
		pthread_join(server->crew[i], NULL);
}

RequestServer *
request_server_start(int listen_fd, const RequestWorld *world)
{
	RequestServer *server = calloc(1, sizeof(*server));

	if (server == NULL)
		goto fail;
	server->world = world;
	server->listen_fd = listen_fd;
	server->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* A client may be gone between poll and accept. */
	fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->work, NULL);
	thread_cond_init(&server->idle);
	TAILQ_INIT(&server->clients);
	while (server->ncrew < CREW &&
		   thread_start(&server->crew[server->ncrew], "request", serve_requests, server) == 0)
		server->ncrew++;
	if (server->news_fd >= 0 && server->ncrew > 0 &&
		thread_start(&server->thread, "requests", serve_clients, server) == 0)
		return server;
	end_crew(server);
	server->listen_fd = -1;
	free_server(server);

fail:
	log_error("requests cannot be served: out of memory or threads");
	return NULL;
}

bool
request_server_stop(RequestServer *server)
{
	int64_t deadline = clock_monotonic_us() + STOP_US;
	Client *client;
	bool idle;

	if (server == NULL)
		return true;
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	TAILQ_FOREACH(client, &server->clients, link)
	client->request.cancelled = true;
	while (server->nbusy > 0 &&
		   thread_cond_wait_until(&server->idle, &server->lock, deadline) != ETIMEDOUT)
		;
	idle = server->nbusy == 0;
	pthread_mutex_unlock(&server->lock);
	eventfd_write(server->news_fd, 1);
	pthread_join(server->thread, NULL);
	if (!idle)
		return false;
	end_crew(server);
	free_server(server);
	return true;
}
