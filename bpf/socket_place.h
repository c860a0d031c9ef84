/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where a socket belongs: the interface of this host that its packets cross.
 */
#ifndef WEIR_SOCKET_PLACE_H
#define WEIR_SOCKET_PLACE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "socket_kernel.h"

const volatile struct weir_socket_config socket_config = {};

static __always_inline bool is_home(struct net_device *device)
{
	return BPF_CORE_READ(device, nd_net.net, ns.inum) == socket_config.netns;
}

/* The other end of a veth or netkit: the first thing in either's private part. */
static __always_inline struct net_device *peer_of(struct net_device *device)
{
	struct net_device___link *link = (void *)device;
	const char *kind = BPF_CORE_READ(link, rtnl_link_ops, kind);
	unsigned long size = (bpf_core_type_size(struct net_device) + 31) & ~31UL;
	struct net_device *peer = NULL;
	char name[8] = {};

	if (!kind || bpf_probe_read_kernel_str(name, sizeof(name), kind) < 0)
		return NULL;
	if (__builtin_memcmp(name, "veth", 5) && __builtin_memcmp(name, "netkit", 7))
		return NULL;
	bpf_probe_read_kernel(&peer, sizeof(peer), (void *)device + size);
	return peer;
}

static __always_inline void keep_addresses(struct sock *sk, struct weir_socket *socket)
{
	struct sock_common *common = &sk->__sk_common;

	if (BPF_CORE_READ(common, skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&socket->local, common, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&socket->remote, common, skc_v6_daddr);
	} else {
		socket->local[2] = socket->remote[2] = (__be32)__builtin_bswap32(0xffff);
		socket->local[3] = BPF_CORE_READ(common, skc_rcv_saddr);
		socket->remote[3] = BPF_CORE_READ(common, skc_daddr);
	}
	socket->local_port = BPF_CORE_READ((struct inet_sock *)sk, inet_sport);
	socket->remote_port = BPF_CORE_READ(common, skc_dport);
}

/* Whether a socket's packets leave through an interface of this host. */
enum placement {
	PLACE_UNKNOWN, /* it has no route at the moment, or one that is dead (blackhole_netdev) */
	PLACE_ELSEWHERE, /* over the loopback interface of a pod, or within other namespaces */
	PLACE_FOUND, /* interface and addresses are set */
};

/* Takes the interface at which a connection was placed earlier, whose route is dead by now. */
static __always_inline void place_again(struct sock *sk, struct weir_socket *socket, __u32 ifindex,
					__u32 flags)
{
	keep_addresses(sk, socket);
	socket->flags |= flags;
	socket->ifindex = ifindex;
}

/* Finds the interface and the addresses of a socket that has both ends. */
static __always_inline enum placement find_place(struct sock *sk, struct weir_socket *socket)
{
	struct net_device *device, *peer;
	__u32 flags = 0;

	if (socket->ifindex)
		return PLACE_FOUND;
	device = BPF_CORE_READ(sk, sk_dst_cache, dev);
	if (!device)
		return PLACE_UNKNOWN;
	/* blackhole_netdev, the device of a dead route, is in the first network namespace. */
	if (!BPF_CORE_READ(device, ifindex))
		return PLACE_UNKNOWN;
	if (is_home(device)) {
		flags = WEIR_SOCKET_IS_HOST;
	} else {
		peer = peer_of(device);
		if (!peer || !is_home(peer))
			return PLACE_ELSEWHERE;
		device = peer;
	}
	keep_addresses(sk, socket);
	socket->flags |= flags;
	socket->ifindex = BPF_CORE_READ(device, ifindex);
	return PLACE_FOUND;
}

#endif
