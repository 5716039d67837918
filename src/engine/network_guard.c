/*
 * network_guard.c
 *		Whom the engine may talk to: cctv.allowed_networks.
 *
 * Not compiled with _GNU_SOURCE: it would give connect() and its like a type that
 * only a compiler can write.
 */
#include "network_guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "network.h"

typedef enum Guard
{
	GUARD_OFF,		  /* not set yet */
	GUARD_ANY_HOST,	  /* but nothing else: no local sockets */
	GUARD_NAMED_HOSTS /* those in the networks */
} Guard;

/* Written once, before the first thread. */
static Guard guard;
static CctvNetwork networks[CCTV_MAX_NETWORKS];
static int nnetworks;

static _Thread_local char refusal[128];
static _Thread_local int waiting_bytes;

bool
network_guard_set(const Settings *settings, char *reason, size_t reason_size)
{
	const StringList *list = &settings->allowed_networks;

	nnetworks = 0;
	guard = settings->any_network ? GUARD_ANY_HOST : GUARD_NAMED_HOSTS;
	for (int i = 0; !settings->any_network && i < list->count; i++)
	{
		if (nnetworks == CCTV_MAX_NETWORKS)
		{
			snprintf(reason, reason_size, "allowed_networks are more than %d", CCTV_MAX_NETWORKS);
			return false;
		}
		if (!cctv_network_parse(list->items[i], &networks[nnetworks++], reason, reason_size))
			return false;
	}
	return true;
}

const char *
network_refusal(void)
{
	return refusal;
}

void
network_forget_refusal(void)
{
	refusal[0] = '\0';
}

void
network_add_refusal(char *reason, size_t size)
{
	size_t length = strlen(reason);

	if (*refusal != '\0' && strstr(reason, refusal) == NULL)
		snprintf(reason + length, size - length, "; %s", refusal);
}

void
network_bound_waiting(int bytes)
{
	waiting_bytes = bytes;
}

static bool
is_host(const struct sockaddr *address, socklen_t length)
{
	return (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) ||
		   (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6));
}

static bool
is_allowed(const struct sockaddr *address, socklen_t length)
{
	if (guard == GUARD_OFF || length < sizeof(address->sa_family))
		return true; /* what is too short, the kernel refuses */
	/* A datagram socket lets go of its peer; the resolver asks the kernel for routes. */
	if (address->sa_family == AF_UNSPEC || address->sa_family == AF_NETLINK)
		return true;
	if (!is_host(address, length))
		return false;
	for (int i = 0; i < nnetworks; i++)
		if (cctv_network_contains(&networks[i], address))
			return true;
	return guard == GUARD_ANY_HOST;
}

static void
remember_refusal(const struct sockaddr *address, socklen_t length)
{
	char text[INET6_ADDRSTRLEN] = "of a local socket";

	if (is_host(address, length) && address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *) address)->sin_addr, text, sizeof(text));
	else if (is_host(address, length))
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *) address)->sin6_addr, text,
				  sizeof(text));
	snprintf(refusal, sizeof(refusal), "the address %s is outside cctv.allowed_networks", text);
}

/* True, with errno set and the address remembered, for one that is not allowed. */
static bool
refuse(const struct sockaddr *address, socklen_t length)
{
	if (is_allowed(address, length))
		return false;
	remember_refusal(address, length);
	errno = EACCES;
	return true;
}

/* ---- what stands before the C library's functions of these names ---- */

int
connect(int fd, const struct sockaddr *address, socklen_t length)
{
	if (address != NULL && refuse(address, length))
		return -1;
	if (waiting_bytes > 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &waiting_bytes, sizeof(waiting_bytes));
	return (int) syscall(SYS_connect, fd, address, length);
}

ssize_t
sendto(int fd, const void *buffer, size_t size, int flags, const struct sockaddr *address,
	   socklen_t length)
{
	if (address != NULL && refuse(address, length))
		return -1;
	return syscall(SYS_sendto, fd, buffer, size, flags, address, length);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (message != NULL && message->msg_name != NULL &&
		refuse(message->msg_name, message->msg_namelen))
		return -1;
	return syscall(SYS_sendmsg, fd, message, flags);
}

/*
 * A datagram from elsewhere is as if it had not come.  (Without a place for the
 * sender's address it is a stream, whose connect() was checked.)
 */
ssize_t
recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length)
{
	ssize_t received = syscall(SYS_recvfrom, fd, buffer, size, flags, address, length);

	if (received >= 0 && address != NULL && length != NULL && *length > 0 &&
		refuse(address, *length))
	{
		errno = EAGAIN;
		return -1;
	}
	return received;
}
