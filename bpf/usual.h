/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The parser of usual packets, which nearly all are: TCP or UDP in IPv4 without options and
 * fragments or in IPv6 without extension headers, in Ethernet without VLAN tags or without a link
 * header, with their headers in the linear part of the skb; and the super-packets of TCP.
 *
 * Its result is the same as that of the full parser (packet.h), or none: then that one parses the
 * packet. It is a parser of its own because the full one handles all kinds of packets, which costs
 * several times as much; here the result stays in registers and in the packet, ready for the table.
 */
#ifndef WEIR_USUAL_H
#define WEIR_USUAL_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "dns_call.h"
#include "packet_bytes.h"
#include "table.h"
#include "transport.h"

/* Bytes that are compared with constants or become part of a word are loaded as one number. */
#define LOAD(type, at) (*(const type *)(at))

#define TCP_OFFSET(member) offsetof(struct ports_header, member)

#define USUAL_HEADERS (sizeof(struct iphdr) + sizeof(struct udphdr)) /* at least */

struct usual {
	/* The packet. */
	struct __sk_buff *skb;
	const void *network; /* its IP header */
	const void *end; /* of the linear part */
	__u32 length; /* of the skb, from the IP header on */
	__u32 position; /* of its interface */
	int direction;
	/* The result. */
	struct key_view key;
	__u64 packets; /* on the wire */
	__u64 bytes; /* IP bytes on the wire */
	__u32 tcp_flags;
};

/* Finds the IP header of a packet; its EtherType, 0 if that is not where it usually is. */
static __always_inline __u32 usual_begin(struct __sk_buff *skb, enum weir_link_header link,
					 __u32 position, int direction, struct usual *usual)
{
	const void *data = (const void *)(long)skb->data;
	__u32 type;

	usual->skb = skb;
	usual->end = (const void *)(long)skb->data_end;
	usual->direction = direction;
	usual->position = position;
	if (data + ETH_HLEN + USUAL_HEADERS > usual->end)
		return 0;
	usual->network = data + ETH_HLEN;
	usual->length = skb->len - ETH_HLEN;
	type = LOAD(__be16, data + offsetof(struct ethhdr, h_proto));
	if (UNLIKELY(link == WEIR_LINK_NONE)) {
		usual->network = data;
		usual->length = skb->len;
		type = (__be16)skb->protocol;
	}
	return type;
}

/*
 * Ports, flags and counts. state: of a slot of its flow; header: bytes of the IP header; length: of the
 * packet, by its header. Registers are scarce: the value that is needed longest is loaded last, and
 * packets and bytes become one word only where they are added to a lane.
 */
static __always_inline bool usual_transport(struct usual *usual, enum weir_slot_state state,
					    __u32 header, __u32 length, __u8 protocol)
{
	const void *transport = usual->network + header;
	__u32 gso_size = skb_gso_size(usual->skb);
	__u32 ports;

	usual->key.upper = usual->position << 16 | state << 8;
	usual->tcp_flags = 0;
	usual->packets = 1;
	usual->bytes = length;
	if (LIKELY(protocol == IPPROTO_TCP)) {
		if (transport + sizeof(struct tcphdr) > usual->end)
			return false;
		if (gso_size) {
			/* With TCP outside it is not a tunnel's, so gso_type need not be read. */
			__u64 segments = skb_gso_segs(usual->skb);

			if (!segments || segments > most_segments(usual->length))
				return false;
			header += (LOAD(__u8, transport + TCP_OFFSET(data_offset)) >> 4) * 4;
			usual->packets = segments;
			usual->bytes = usual->length + (segments - 1) * header;
		} else if (length > usual->length || length < header + sizeof(struct tcphdr)) {
			return false;
		}
		usual->key.upper |= IPPROTO_TCP;
		usual->tcp_flags = LOAD(__u8, transport + TCP_OFFSET(flags));
	} else if (protocol != IPPROTO_UDP || gso_size || length > usual->length ||
		   length < header + sizeof(struct udphdr)) {
		return false;
	} else if (hand_on_dns(usual->skb, LOAD(__u32, transport), usual->direction)) {
		return false;
	} else {
		usual->key.upper |= IPPROTO_UDP;
	}
	ports = LOAD(__u32, transport);
	usual->key.ports = usual->direction == WEIR_INGRESS ? ports : ports << 16 | ports >> 16;
	return true;
}

static __always_inline bool usual_ipv4(struct usual *usual)
{
	const void *ip = usual->network;
	__u32 source, destination;

	if (LOAD(__u8, ip) != 0x45 || LOAD(__be16, ip + offsetof(struct iphdr, frag_off)) &
					      bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET))
		return false;
	if (!usual_transport(usual, WEIR_SLOT_LIVE_V4, sizeof(struct iphdr),
			     bpf_ntohs(LOAD(__be16, ip + offsetof(struct iphdr, tot_len))),
			     LOAD(__u8, ip + offsetof(struct iphdr, protocol))))
		return false;
	source = LOAD(__u32, ip + offsetof(struct iphdr, saddr));
	destination = LOAD(__u32, ip + offsetof(struct iphdr, daddr));
	usual->key.v4 = usual->direction == WEIR_INGRESS ? (__u64)destination << 32 | source :
							   (__u64)source << 32 | destination;
	return true;
}

static __always_inline bool usual_ipv6(struct usual *usual)
{
	const void *ip = usual->network;
	const void *source = ip + offsetof(struct ipv6hdr, saddr);
	const void *destination = ip + offsetof(struct ipv6hdr, daddr);

	if (ip + sizeof(struct ipv6hdr) + sizeof(struct udphdr) > usual->end ||
	    LOAD(__u8, ip) >> 4 != 6)
		return false;
	usual->key.near = usual->direction == WEIR_INGRESS ? source : destination;
	usual->key.far = usual->direction == WEIR_INGRESS ? destination : source;
	return usual_transport(usual, WEIR_SLOT_LIVE_V6, sizeof(struct ipv6hdr),
			       bpf_ntohs(LOAD(__be16, ip + offsetof(struct ipv6hdr, payload_len))) +
				       sizeof(struct ipv6hdr),
			       LOAD(__u8, ip + offsetof(struct ipv6hdr, nexthdr)));
}

#endif
