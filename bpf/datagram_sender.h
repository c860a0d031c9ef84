/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The UDP socket that has sent a packet.
 */
#ifndef WEIR_DATAGRAM_SENDER_H
#define WEIR_DATAGRAM_SENDER_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

/*
 * NULL if no UDP socket with the port (host byte order) has sent it: a raw or packet socket, a virtual
 * machine, or another host. The packet of a tunnel still has the socket of the inner packet.
 */
static __always_inline struct bpf_sock *datagram_sender(struct __sk_buff *skb, __u16 port)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return NULL;
	sk = bpf_sk_fullsock(sk);
	return sk && sk->protocol == IPPROTO_UDP && sk->src_port == port ? sk : NULL;
}

#endif
