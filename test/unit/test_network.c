/* Networks in CIDR notation, and the guard that keeps the engine to them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "network.h"
#include "network_guard.h"

typedef union Address
{
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} Address;

static Address
address_of(const char *text, int port)
{
	Address address = {0};

	if (strchr(text, ':') != NULL)
	{
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, text, &address.v6.sin6_addr), 1);
	}
	else
	{
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, text, &address.v4.sin_addr), 1);
	}
	return address;
}

static socklen_t
length_of(const Address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

static bool
lies_in(const char *network_text, const char *text)
{
	CctvNetwork network;
	char reason[256] = "";
	Address address = address_of(text, 0);

	if (!cctv_network_parse(network_text, &network, reason, sizeof(reason)))
		fail_msg("%s: %s", network_text, reason);
	return cctv_network_contains(&network, &address.any);
}

static void
networks_contain_their_addresses(void **state)
{
	assert_true(lies_in("10.0.0.0/8", "10.255.0.1"));
	assert_false(lies_in("10.0.0.0/8", "11.0.0.1"));
	assert_true(lies_in("192.0.2.128/25", "192.0.2.200"));
	assert_false(lies_in("192.0.2.128/25", "192.0.2.127"));
	assert_true(lies_in("192.0.2.7", "192.0.2.7"));
	assert_false(lies_in("192.0.2.7", "192.0.2.6"));
	assert_true(lies_in("0.0.0.0/0", "203.0.113.9"));
	assert_true(lies_in("2001:db8::/32", "2001:db8:ffff::1"));
	assert_false(lies_in("2001:db8::/32", "2001:db9::1"));
	assert_true(lies_in("fe80::/10", "febf::1"));
	assert_false(lies_in("fe80::/10", "fec0::1"));
	assert_true(lies_in("::1", "::1"));
}

static void
mapped_addresses_are_ipv4(void **state)
{
	assert_true(lies_in("10.0.0.0/8", "::ffff:10.1.2.3"));
	assert_false(lies_in("10.0.0.0/8", "::ffff:11.1.2.3"));
	assert_true(lies_in("::ffff:10.0.0.0/104", "10.1.2.3"));
	assert_true(lies_in("::ffff:0:0/96", "10.1.2.3"));
	/* Each family for itself. */
	assert_false(lies_in("::/0", "10.1.2.3"));
	assert_false(lies_in("::/0", "::ffff:10.1.2.3"));
	assert_false(lies_in("0.0.0.0/0", "2001:db8::1"));
	assert_true(lies_in("::/0", "2001:db8::1"));
}

static void
nonsense_is_named(void **state)
{
	static const struct
	{
		const char *text;
		const char *reason;
	} cases[] = {
		{"", "\"\" is not an address"},
		{"/8", "\"/8\" is not an address"},
		{"lobby.example", "\"lobby.example\" is not an address"},
		{"10.0.0", "\"10.0.0\" is not an address"},
		{"10.0.0.0/33", "\"10.0.0.0/33\" has no mask of 0 to 32 bits"},
		{"10.0.0.0/", "\"10.0.0.0/\" has no mask of 0 to 32 bits"},
		{"10.0.0.0/-1", "\"10.0.0.0/-1\" has no mask of 0 to 32 bits"},
		{"10.0.0.0/08", "\"10.0.0.0/08\" has no mask of 0 to 32 bits"},
		{"10.0.0.0/8/8", "\"10.0.0.0/8/8\" has no mask of 0 to 32 bits"},
		{"::/129", "\"::/129\" has no mask of 0 to 128 bits"},
		{"10.0.0.1/8",
		 "\"10.0.0.1/8\" has bits set to the right of its mask; the network is 10.0.0.0/8"},
		{"2001:db8::1/32",
		 "\"2001:db8::1/32\" has bits set to the right of its mask; the network is 2001:db8::/32"},
	};
	char huge[4096];
	CctvNetwork network;
	char reason[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		assert_false(cctv_network_parse(cases[i].text, &network, reason, sizeof(reason)));
		assert_string_equal(reason, cases[i].reason);
	}
	memset(huge, '1', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_false(cctv_network_parse(huge, &network, reason, sizeof(reason)));
	memcpy(huge, "::1/", 4);
	assert_false(cctv_network_parse(huge, &network, reason, sizeof(reason)));
}

/* A socket of the loopback interface, with its port. */
static int
open_local(const char *host, int type, Address *address)
{
	socklen_t length = sizeof(*address);
	int fd;

	*address = address_of(host, 0);
	fd = socket(address->any.sa_family, type, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &address->any, length_of(address)), 0);
	assert_int_equal(getsockname(fd, &address->any, &length), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void
allow(const char *text)
{
	char *items[] = {(char *) text};
	Settings settings = {.any_network = text == NULL, .allowed_networks = {text != NULL, items}};
	char reason[256];

	assert_true(network_guard_set(&settings, reason, sizeof(reason)));
	network_forget_refusal();
}

/* errno of a connect(); 0: none. */
static int
try_connect(const struct sockaddr *address, socklen_t length)
{
	int fd = socket(address->sa_family, SOCK_STREAM, 0);
	int error;

	assert_true(fd >= 0);
	error = connect(fd, address, length) == 0 ? 0 : errno;
	close(fd);
	return error;
}

static void
streams_are_guarded(void **state)
{
	Address near;
	int fd = open_local("127.0.0.1", SOCK_STREAM, &near);
	Address mapped = address_of("::ffff:127.0.0.1", ntohs(near.v4.sin_port));

	allow("127.0.0.0/8");
	assert_int_equal(try_connect(&near.any, sizeof(near.v4)), 0);
	assert_int_equal(try_connect(&mapped.any, sizeof(mapped.v6)), 0);
	assert_string_equal(network_refusal(), "");
	allow("10.0.0.0/8");
	assert_int_equal(try_connect(&near.any, sizeof(near.v4)), EACCES);
	assert_string_equal(network_refusal(),
						"the address 127.0.0.1 is outside cctv.allowed_networks");
	assert_int_equal(try_connect(&mapped.any, sizeof(mapped.v6)), EACCES);
	allow(NULL);
	assert_int_equal(try_connect(&near.any, sizeof(near.v4)), 0);
	close(fd);
}

static ssize_t
send_message(int fd, const Address *to)
{
	struct iovec part = {"x", 1};
	struct msghdr message = {
		.msg_name = (void *) to, .msg_namelen = length_of(to), .msg_iov = &part, .msg_iovlen = 1};

	return sendmsg(fd, &message, 0);
}

static void
datagrams_are_guarded(void **state)
{
	Address one;
	Address two;
	Address from;
	socklen_t length = sizeof(from);
	char byte;
	int first = open_local("127.0.0.1", SOCK_DGRAM, &one);
	int second = open_local("127.0.0.2", SOCK_DGRAM, &two);

	allow(NULL);
	assert_int_equal(sendto(first, "x", 1, 0, &two.any, sizeof(two.v4)), 1);
	assert_int_equal(send_message(first, &two), 1);
	allow("127.0.0.1");
	assert_int_equal(sendto(first, "x", 1, 0, &two.any, sizeof(two.v4)), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(send_message(first, &two), -1);
	assert_int_equal(errno, EACCES);
	assert_string_equal(network_refusal(),
						"the address 127.0.0.2 is outside cctv.allowed_networks");

	/* Two have come from an allowed address, no more. */
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			recvfrom(second, &byte, 1, MSG_DONTWAIT, &from.any, (length = sizeof(from), &length)),
			1);
	assert_int_equal(recv(second, &byte, 1, MSG_DONTWAIT), -1);

	/* What comes from the other is as if it had not come. */
	assert_int_equal(sendto(second, "y", 1, 0, &one.any, sizeof(one.v4)), 1);
	length = sizeof(from);
	assert_int_equal(recvfrom(first, &byte, 1, 0, &from.any, &length), -1);
	assert_int_equal(errno, EAGAIN);
	close(first);
	close(second);
}

/* PostgreSQL's own socket, where the sandbox is switched off. */
static void
local_sockets_are_refused(void **state)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/tmp/.s.PGSQL.5432"};

	allow(NULL);
	assert_int_equal(try_connect((struct sockaddr *) &local, sizeof(local)), EACCES);
	assert_string_equal(network_refusal(),
						"the address of a local socket is outside cctv.allowed_networks");
}

static void
names_are_still_resolved(void **state)
{
	struct addrinfo *list = NULL;

	allow("10.0.0.0/8");
	assert_int_equal(getaddrinfo("localhost", "554", NULL, &list), 0);
	freeaddrinfo(list);
}

static void
a_wrong_list_is_refused(void **state)
{
	char *items[] = {"10.0.0.0/8", "10.0.0.1/8"};
	Settings settings = {.allowed_networks = {2, items}};
	char reason[256] = "";

	assert_false(network_guard_set(&settings, reason, sizeof(reason)));
	assert_non_null(strstr(reason, "10.0.0.1/8"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_contain_their_addresses),
		cmocka_unit_test(mapped_addresses_are_ipv4),
		cmocka_unit_test(nonsense_is_named),
		cmocka_unit_test(streams_are_guarded),
		cmocka_unit_test(datagrams_are_guarded),
		cmocka_unit_test(local_sockets_are_refused),
		cmocka_unit_test(names_are_still_resolved),
		cmocka_unit_test(a_wrong_list_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
