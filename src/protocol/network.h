/*
 * network.h
 *		Networks in CIDR notation, and whether an address lies in one.
 *
 * The server checks cctv.allowed_networks with it, the engine keeps to it.
 */
#ifndef CCTV_NETWORK_H
#define CCTV_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

struct sockaddr;

/* As many as cctv.allowed_networks may name, and the longest of them. */
#define CCTV_MAX_NETWORKS 256
#define CCTV_NETWORK_TEXT 64

/*
 * An IPv4 network is kept as the part of ::ffff:0:0/96 that IPv6 maps it to, so
 * that an address is the same however a socket writes it.
 */
typedef struct CctvNetwork
{
	unsigned char address[16]; /* network order */
	int bits;				   /* 0 to 128 */
} CctvNetwork;

/*
 * Read "10.1.0.0/16", "2001:db8::/32", or an address alone.  False, with a
 * sentence without its full stop in reason, when it is none, or has bits set to
 * the right of its mask.
 */
extern bool cctv_network_parse(const char *text, CctvNetwork *network, char *reason,
							   size_t reason_size);

/* Does the address (of IPv4 or IPv6, else: no) lie in the network? */
extern bool cctv_network_contains(const CctvNetwork *network, const struct sockaddr *address);

#endif /* CCTV_NETWORK_H */
