/*
 * Network namespaces and the socket calls of the lab that Swift cannot reach: calls that the C
 * library shows under _GNU_SOURCE only, and variadic ones.
 *
 * Functions return 0 or a result of 0 or more, or -errno.
 */
#ifndef WEIR_NETNS_H
#define WEIR_NETNS_H

#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Moves the calling thread into a new network namespace; nothing but the thread holds it. */
int weir_netns_unshare(void);

/* Moves the calling thread into the network namespace that a descriptor holds. */
int weir_netns_enter(int descriptor);

/* Sets an interface of the calling thread's namespace up. */
int weir_netns_set_up(const char *interface);

/*
 * Makes a tun device (packets start with the IP header) in the calling thread's namespace and
 * returns its descriptor, non-blocking; the device is removed with the last descriptor.
 */
int weir_netns_tun(const char *interface);

/* Returns a descriptor of a new empty file that has no name, closed on exec. */
int weir_netns_memory_file(void);

/* Accepts a connection; the new descriptor is non-blocking and closed on exec. */
int weir_netns_accept(int listener);

/* The most messages that weir_netns_send and weir_netns_receive handle at once. */
#define WEIR_NETNS_BATCH 128

/*
 * Sends up to `count` messages of `size` bytes, message i from bytes + i * stride, without
 * waiting, and returns how many were sent. `to` may be NULL.
 */
int weir_netns_send(int descriptor, const void *bytes, size_t stride, size_t size, unsigned count,
		    const struct sockaddr *to, socklen_t to_size);

/*
 * Takes up to WEIR_NETNS_BATCH messages that wait, without waiting for more, discards their
 * contents, adds their sizes to *bytes, and returns how many there were.
 */
int weir_netns_receive(int descriptor, uint64_t *bytes);

#endif
