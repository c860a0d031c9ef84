/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Ports and flags out of the transport header: TCP, UDP, SCTP, ICMP and ICMPv6.
 */
#ifndef WEIR_TRANSPORT_H
#define WEIR_TRANSPORT_H

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "packet_bytes.h"

/* RFC 792, RFC 950; RFC 4443. <linux/icmp.h> drags in headers of the C library. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 id; /* of a query and its reply */
	__be16 sequence;
};

#define ICMP_TYPE_SIZE offsetof(struct icmp_header, checksum)
#define ICMP_QUERY_SIZE offsetof(struct icmp_header, sequence)

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_ECHO = 8,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMP_REPLY = 14,
	ICMP_INFO = 15,
	ICMP_INFO_REPLY = 16,
	ICMP_ADDRESS_MASK = 17,
	ICMP_ADDRESS_MASK_REPLY = 18,
};

enum icmp6_type {
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
};

/* Folds the type of a reply onto the type of its query, and stores which of the two it was. */
static __always_inline __u8 icmp_query_type(struct packet *packet, __u8 type)
{
	if (packet->protocol == IPPROTO_ICMPV6) {
		packet->opens = type == ICMP6_ECHO;
		packet->accepts = type == ICMP6_ECHO_REPLY;
		return packet->accepts ? ICMP6_ECHO : type;
	}
	packet->opens = type == ICMP_ECHO || type == ICMP_TIMESTAMP || type == ICMP_INFO ||
			type == ICMP_ADDRESS_MASK;
	packet->accepts = 1;
	switch (type) {
	case ICMP_ECHO_REPLY:
		return ICMP_ECHO;
	case ICMP_TIMESTAMP_REPLY:
		return ICMP_TIMESTAMP;
	case ICMP_INFO_REPLY:
		return ICMP_INFO;
	case ICMP_ADDRESS_MASK_REPLY:
		return ICMP_ADDRESS_MASK;
	}
	packet->accepts = 0;
	return type;
}

/* Reads the type, and of a query the identifier, as far as they are in the packet. */
static __always_inline bool parse_icmp(const struct packet_bytes *bytes,
				       const struct layout *layout, struct packet *packet)
{
	struct icmp_header copy = {};
	const struct icmp_header *icmp = &copy;
	__u8 type;

	if (layout->available < ICMP_TYPE_SIZE)
		return true;
	if (layout->available < ICMP_QUERY_SIZE) {
		if (!copy_bytes(bytes, layout->transport, &copy, ICMP_TYPE_SIZE))
			return false;
	} else {
		icmp = header_at(bytes, layout->transport, &copy, ICMP_QUERY_SIZE);
		if (!icmp)
			return false;
	}
	type = icmp_query_type(packet, icmp->type);
	packet->destination_port = bpf_htons(type << 8 | icmp->code);
	packet->source_port = packet->opens || packet->accepts ? icmp->id : 0;
	return true;
}

/* The beginning of a TCP header, as far as it is of interest; UDP and SCTP begin like it. */
struct ports_header {
	__be16 source;
	__be16 destination;
	__be32 numbers[2];
	__u8 data_offset; /* in words, high half */
	__u8 flags;
};

#define PORTS_SIZE offsetof(struct ports_header, numbers)
#define PORTS_AND_FLAGS_SIZE (offsetof(struct ports_header, flags) + sizeof(__u8))
#define TCP_SYN 0x02
#define TCP_ACK 0x10

/* Reads the ports and the flags of TCP, and gives the size of its header. */
static __always_inline bool parse_tcp(const struct packet_bytes *bytes, const struct layout *layout,
				      struct packet *packet, __u32 *header_size)
{
	struct ports_header copy;
	const struct ports_header *tcp =
		header_at(bytes, layout->transport, &copy, PORTS_AND_FLAGS_SIZE);

	if (!tcp)
		return false;
	packet->source_port = tcp->source;
	packet->destination_port = tcp->destination;
	packet->tcp_flags = tcp->flags;
	packet->opens = (tcp->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	packet->accepts = (tcp->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
	*header_size = (tcp->data_offset >> 4) * 4;
	return true;
}

/*
 * Reads the part of the transport header that is in the packet: the ports, if all four bytes are there,
 * and the flags of TCP. header_size becomes the bytes that each segment of a super-packet repeats.
 * False: the header is in the packet and cannot be read.
 */
static __always_inline bool parse_transport(const struct packet_bytes *bytes,
					    const struct layout *layout, struct packet *packet,
					    __u32 *header_size)
{
	__u32 copy; /* no helper writes to packet itself, so it stays in registers */

	switch (packet->protocol) {
	case IPPROTO_TCP:
		*header_size = sizeof(struct tcphdr);
		break;
	case IPPROTO_SCTP:
		*header_size = 12; /* RFC 9260 section 3.1: common header */
		break;
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		*header_size = sizeof(struct udphdr);
		break;
	default:
		*header_size = 0;
		return true;
	}
	if (*header_size > layout->available)
		*header_size = layout->available;
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6)
		return parse_icmp(bytes, layout, packet);
	if (packet->protocol == IPPROTO_TCP && layout->available >= PORTS_AND_FLAGS_SIZE)
		return parse_tcp(bytes, layout, packet, header_size);
	if (layout->available < PORTS_SIZE)
		return true;
	if (!copy_bytes(bytes, layout->transport, &copy, PORTS_SIZE))
		return false;
	packet->ports = copy;
	return true;
}

#endif
