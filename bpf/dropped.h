/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A packet that was dropped: its interface, and its parsed headers.
 *
 * Its treatment is split into global functions, which the verifier checks one by one: an older
 * verifier, as that of Linux 6.1, does not get to the end of the whole otherwise. Their arguments
 * are structs without pointers, because pointers cannot be passed.
 */
#ifndef WEIR_DROPPED_H
#define WEIR_DROPPED_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "kernel.h"
#include "packet.h"

/* A drop, and the flow that it is counted in. */
struct drop {
	__u64 skb; /* its address */
	__u64 tracked; /* skb->_nfct: its connection */
	__u32 ifindex;
	__u32 position; /* of the interface */
	__u32 direction;
	__u16 reason;
	__u8 kind; /* WEIR_DROP_* */
	__u8 is_upper; /* the interface is an upper device; the packet was counted below */
	__u32 is_translated; /* the destination below is not the one that was called */
	__be16 destination_port;
	__u16 pad;
	__u64 destination[2];
};

/* The places of the bytes of a dropped packet. */
struct dropped_bytes {
	__u64 skb; /* its address, as the following two */
	__u64 shared; /* struct skb_shared_info */
	__u64 start; /* the network header */
	__u32 linear; /* bytes from there that can be read */
	__u32 length; /* bytes from there to the end of the packet */
	__u32 ifindex; /* of the interface that counted the packet */
	__be16 ether_type;
	__u16 pad;
};

/* Finds the bytes, wherever the packet's data began when it was dropped: the network header is marked. */
static __always_inline void dropped_bytes_init(struct dropped_bytes *bytes, struct sk_buff *skb,
					       __u32 ifindex)
{
	__u64 start = (__u64)skb->head + skb->network_header;

	bytes->skb = (__u64)skb;
	bytes->shared = (__u64)skb->head + skb->end;
	bytes->start = start;
	bytes->length = skb->len + (__u32)((__u64)skb->data - start);
	bytes->linear = bytes->length - skb->data_len;
	bytes->ifindex = ifindex;
	bytes->ether_type = skb->protocol;
	bytes->pad = 0;
}

/*
 * Parses a packet that was dropped; returns an enum packet_kind. Only the linear part is read; a
 * header that lies outside is PACKET_UNPARSED, and never treated as missing: its flow has ports,
 * and differs from the flow without ports.
 */
__noinline int parse_dropped(const struct dropped_bytes *dropped, struct packet *packet)
{
	struct skb_shared_info *shared;
	struct packet_bytes bytes = { .is_dropped = true };
	struct layout layout = {};

	if (!dropped || !packet)
		return PACKET_UNPARSED;
	shared = (void *)dropped->shared;
	bytes.dropped = (void *)dropped->skb;
	bytes.start = dropped->start;
	bytes.linear = dropped->linear;
	bytes.length = dropped->length;
	bytes.ifindex = dropped->ifindex;
	bytes.gso_size = BPF_CORE_READ(shared, gso_size);
	if (bytes.gso_size)
		bytes.gso_segs = BPF_CORE_READ(shared, gso_segs);
	return parse_network(&bytes, dropped->ether_type, &layout, packet);
}

#endif
