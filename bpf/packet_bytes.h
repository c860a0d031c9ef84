/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The result of parsing a packet, and access to its bytes.
 */
#ifndef WEIR_PACKET_BYTES_H
#define WEIR_PACKET_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "kernel.h"

enum packet_kind {
	PACKET_IP, /* all members of struct packet are set */
	PACKET_NOT_IP,
	PACKET_UNPARSED, /* reason is set */
};

struct packet {
	__u64 source[2];
	__u64 destination[2];
	union {
		struct {
			__be16 source_port; /* ICMP: query identifier */
			__be16 destination_port; /* ICMP: type << 8 | code */
		};
		__u32 ports;
	};
	__u8 version; /* of the IP header: 4 or 6 */
	__u8 protocol;
	__u8 tcp_flags;
	__u8 opens; /* the initiator's packet */
	__u8 accepts; /* the responder's packet */
	enum weir_unparsed reason;
	struct weir_pair wire; /* packets and IP bytes on the wire */
};

/* The places of the packet's layers, in bytes from the start of the parsed part. */
struct layout {
	__u32 network;
	__u32 transport;
	__u32 available; /* from there; 0: the bytes do not match the headers */
	__u32 end; /* of the IP packet; link-layer padding lies behind it */
	__u32 offload_header; /* bytes of the IP packet that are not on the wire at all */
};

/*
 * The places of a packet's bytes. The packet path has the context of its program; the drop path
 * has a bare sk_buff, of which it reads the linear part only. The path is a constant where the
 * parser is inlined, so neither pays for the other.
 */
struct packet_bytes {
	bool is_dropped;
	struct __sk_buff *skb; /* packet path */
	struct sk_buff *dropped; /* the rest: drop path */
	__u64 start; /* address of the network header; offsets count from there */
	__u32 linear; /* bytes from there that can be read */
	__u32 length; /* bytes from there to the end of the packet */
	__u32 ifindex;
	__u32 gso_size;
	__u32 gso_segs;
};

/*
 * Members of the context that are read in several places: volatile, because the verifier refuses
 * a read through an address that the compiler computed for all of them.
 */
static __always_inline __u32 skb_gso_size(struct __sk_buff *skb)
{
	return *(const volatile __u32 *)&skb->gso_size;
}

static __always_inline __u32 skb_gso_segs(struct __sk_buff *skb)
{
	return *(const volatile __u32 *)&skb->gso_segs;
}

/*
 * The most segments that a super-packet of a length is counted as. A segment of TCP has at least 8 bytes of
 * payload (TCP_MIN_GSO_SIZE), UDP makes at most 128 (UDP_MAX_SEGMENTS). A virtual machine, or the user of a
 * raw socket or tun, may set any number: a flow's packets between two scans might then exceed 32 bits.
 */
static __always_inline __u32 most_segments(__u32 length)
{
	return length / 8 + 128;
}

static __always_inline __u32 bytes_length(const struct packet_bytes *bytes)
{
	return bytes->is_dropped ? bytes->length : bytes->skb->len;
}

static __always_inline __u32 bytes_gso_size(const struct packet_bytes *bytes)
{
	return bytes->is_dropped ? bytes->gso_size : skb_gso_size(bytes->skb);
}

#define IPV4_MAPPED bpf_htonl(0xffff)
#define IP_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff

static __always_inline bool is_ipv4(const struct packet *packet)
{
	return packet->version == 4;
}

/* Copies bytes of the packet; false: they are cut off. */
static __always_inline bool copy_bytes(const struct packet_bytes *bytes, __u32 offset, void *copy,
				       __u32 size)
{
	if (!bytes->is_dropped)
		return !bpf_skb_load_bytes(bytes->skb, offset, copy, size);
	return offset + size <= bytes->linear &&
	       !bpf_probe_read_kernel(copy, size, (const void *)(bytes->start + offset));
}

/* A header in place, or copied where it lies outside the linear part; NULL: cut off. */
static __always_inline const void *header_at(const struct packet_bytes *bytes, __u32 offset,
					     void *copy, __u32 size)
{
	if (!bytes->is_dropped) {
		const void *start = (const void *)(long)bytes->skb->data + offset;

		if (start + size <= (const void *)(long)bytes->skb->data_end)
			return start;
	}
	return copy_bytes(bytes, offset, copy, size) ? copy : NULL;
}

#endif
