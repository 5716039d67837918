/*
 * network.c
 *		Networks in CIDR notation, and whether an address lies in one.
 */
#include "network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ADDRESS_BITS 128
#define MAPPED_BITS 96 /* of the prefix below */

static const unsigned char mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool
is_mapped(const unsigned char address[16])
{
	return memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static void
map_ipv4(unsigned char address[16], const void *ipv4)
{
	memcpy(address, mapped_prefix, sizeof(mapped_prefix));
	memcpy(address + sizeof(mapped_prefix), ipv4, 4);
}

/* Decimal, without sign or leading zeros, up to max; -1: no such number. */
static int
parse_bits(const char *text, int max)
{
	int bits = 0;

	if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -1;
	for (; *text != '\0'; text++)
	{
		if (*text < '0' || *text > '9')
			return -1;
		bits = bits * 10 + (*text - '0');
		if (bits > max)
			return -1;
	}
	return bits;
}

/* Clear what lies to the right of the mask.  Returns whether anything did. */
static bool
clear_host(CctvNetwork *network)
{
	bool any = false;

	for (int bit = network->bits; bit < ADDRESS_BITS; bit++)
	{
		unsigned char mask = (unsigned char) (0x80 >> bit % 8);

		any |= (network->address[bit / 8] & mask) != 0;
		network->address[bit / 8] &= (unsigned char) ~mask;
	}
	return any;
}

bool
cctv_network_parse(const char *text, CctvNetwork *network, char *reason, size_t reason_size)
{
	char address[CCTV_NETWORK_TEXT];
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t) (slash - text) : strlen(text);
	unsigned char ipv4[4];
	int family = AF_INET6;
	int bits;

	memset(network, 0, sizeof(*network));
	if (length == 0 || length >= sizeof(address))
	{
		snprintf(reason, reason_size, "\"%.*s\" is not an address", CCTV_NETWORK_TEXT, text);
		return false;
	}
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, ipv4) == 1)
	{
		family = AF_INET;
		map_ipv4(network->address, ipv4);
	}
	else if (inet_pton(AF_INET6, address, network->address) != 1)
	{
		snprintf(reason, reason_size, "\"%s\" is not an address", address);
		return false;
	}
	bits = family == AF_INET ? ADDRESS_BITS - MAPPED_BITS : ADDRESS_BITS;
	if (slash != NULL && (bits = parse_bits(slash + 1, bits)) < 0)
	{
		snprintf(reason, reason_size, "\"%.*s\" has no mask of 0 to %d bits", CCTV_NETWORK_TEXT,
				 text, family == AF_INET ? ADDRESS_BITS - MAPPED_BITS : ADDRESS_BITS);
		return false;
	}
	network->bits = family == AF_INET ? MAPPED_BITS + bits : bits;
	if (clear_host(network))
	{
		inet_ntop(family, network->address + (family == AF_INET ? sizeof(mapped_prefix) : 0),
				  address, sizeof(address));
		snprintf(reason, reason_size,
				 "\"%.*s\" has bits set to the right of its mask; the network is %s/%d",
				 CCTV_NETWORK_TEXT, text, address, bits);
		return false;
	}
	return true;
}

bool
cctv_network_contains(const CctvNetwork *network, const struct sockaddr *address)
{
	unsigned char bytes[16];
	int whole = network->bits / 8;
	int rest = network->bits % 8;

	if (address->sa_family == AF_INET)
		map_ipv4(bytes, &((const struct sockaddr_in *) address)->sin_addr);
	else if (address->sa_family == AF_INET6)
		memcpy(bytes, &((const struct sockaddr_in6 *) address)->sin6_addr, sizeof(bytes));
	else
		return false;
	/* ::/0 is all of IPv6, and does not happen to be all of IPv4, too. */
	if (is_mapped(bytes) && network->bits < MAPPED_BITS)
		return false;
	return memcmp(bytes, network->address, whole) == 0 &&
		   (rest == 0 || ((bytes[whole] ^ network->address[whole]) >> (8 - rest)) == 0);
}
