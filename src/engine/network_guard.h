/*
 * network_guard.h
 *		Whom the engine may talk to: cctv.allowed_networks.
 *
 * The engine's own connect(), sendto(), sendmsg() and recvfrom() stand before
 * the C library's, for FFmpeg's libraries too.  So every address is checked once
 * it is resolved: a camera's, that of a redirect, of a segment of a playlist, of
 * the other end of RTP.  The resolver's questions to name servers are made inside
 * the C library and pass.
 */
#ifndef CCTV_NETWORK_GUARD_H
#define CCTV_NETWORK_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "desired_state.h"

/*
 * From now on talk to nobody else.  Must be called before the first thread is
 * started, and holds for the life of the process.  False, with a one-line reason,
 * when a network makes no sense.  Without a call, everything is allowed.
 */
extern bool network_guard_set(const Settings *settings, char *reason, size_t reason_size);

/*
 * What was refused to this thread since it forgot: "the address 192.0.2.7 is
 * outside cctv.allowed_networks", or "".
 */
extern const char *network_refusal(void);
extern void network_forget_refusal(void);

/* Add that to the reason for something else, which it may explain. */
extern void network_add_refusal(char *reason, size_t size);

/*
 * So many bytes may wait in a socket that this thread connects from now on, so that
 * a peer that takes no more is noticed; 0: what the system thinks fit.
 */
extern void network_bound_waiting(int bytes);

#endif /* CCTV_NETWORK_GUARD_H */
