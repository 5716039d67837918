/* cctv.allowed_networks: what is taken for a network contains its own address. */
#include "fuzz.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "network.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	CctvNetwork network;
	char reason[256] = "";
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};

	if (!cctv_network_parse(text, &network, reason, sizeof(reason)))
		CHECK(reason[0] != '\0');
	else
	{
		static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

		CHECK(network.bits >= 0 && network.bits <= 128);
		memcpy(&address.sin6_addr, network.address, sizeof(network.address));
		/* A wide network of IPv6 has none of IPv4, though its first may look like one. */
		if (network.bits >= 96 || memcmp(network.address, mapped, sizeof(mapped)) != 0)
			CHECK(cctv_network_contains(&network, (struct sockaddr *) &address));
	}
	free(text);
	return 0;
}
