/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The parser of what nearly all packets are: TCP or UDP in IPv4 without options and fragments or
 * in IPv6 without extension headers, in Ethernet without VLAN tags or in no link header, with its
 * headers in the linear part of the skb; and the super-packets of TCP.
 *
 * It says the same of a packet as the other headers do (packet.h), or nothing: then they parse it.
 * It is apart from them because they look for everything that a packet may be, which costs twice as
 * much.
 */
#ifndef WEIR_USUAL_H
#define WEIR_USUAL_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "packet_bytes.h"
#include "transport.h"

/* The IP header of a usual packet, and what is in the linear part behind it. */
struct usual {
	const void *network;
	const void *end; /* of the linear part */
	__u32 length; /* of the skb, from the IP header on */
};

/* Ports and flags; false if the header is not there. header: bytes of the IP header. */
static __always_inline bool usual_transport(struct __sk_buff *skb, const struct usual *usual,
					    __u32 header, __u32 length, struct packet *packet)
{
	const void *transport = usual->network + header;
	const struct ports_header *ports = transport;
	__u32 gso_size = skb_gso_size(skb);
	__u32 segments = 1;

	if (gso_size)
		length = usual->length;
	else if (length > usual->length)
		return false;
	packet->opens = packet->accepts = packet->tcp_flags = 0;
	if (packet->protocol == IPPROTO_TCP) {
		if (transport + sizeof(struct tcphdr) > usual->end ||
		    length < header + sizeof(struct tcphdr))
			return false;
		packet->tcp_flags = ports->flags;
		packet->opens = (ports->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
		packet->accepts = (ports->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
		header += (ports->data_offset >> 4) * 4;
		/* With TCP outside it is no tunnel's, so gso_type need not be read. */
		if (gso_size)
			segments = skb_gso_segs(skb);
		if (!segments)
			return false;
	} else if (packet->protocol == IPPROTO_UDP) {
		if (gso_size || transport + sizeof(struct udphdr) > usual->end ||
		    length < header + sizeof(struct udphdr))
			return false;
	} else {
		return false;
	}
	packet->source_port = ports->source;
	packet->destination_port = ports->destination;
	packet->wire.packets = segments;
	packet->wire.bytes = length + (__u64)(segments - 1) * header;
	return true;
}

static __always_inline bool usual_ipv4(struct __sk_buff *skb, const struct usual *usual,
				       struct packet *packet)
{
	const struct iphdr *ip = usual->network;

	if ((const void *)(ip + 1) > usual->end || *(const __u8 *)ip != 0x45 ||
	    ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET))
		return false;
	packet->version = 4;
	packet->protocol = ip->protocol;
	packet->source[0] = packet->destination[0] = 0;
	packet->source[1] = (__u64)ip->saddr << 32 | IPV4_MAPPED;
	packet->destination[1] = (__u64)ip->daddr << 32 | IPV4_MAPPED;
	return usual_transport(skb, usual, sizeof(*ip), bpf_ntohs(ip->tot_len), packet);
}

static __always_inline bool usual_ipv6(struct __sk_buff *skb, const struct usual *usual,
				       struct packet *packet)
{
	const struct ipv6hdr *ip = usual->network;

	if ((const void *)(ip + 1) > usual->end || *(const __u8 *)ip >> 4 != 6)
		return false;
	packet->version = 6;
	packet->protocol = ip->nexthdr;
	__builtin_memcpy(packet->source, &ip->saddr, sizeof(packet->source));
	__builtin_memcpy(packet->destination, &ip->daddr, sizeof(packet->destination));
	return usual_transport(skb, usual, sizeof(*ip), bpf_ntohs(ip->payload_len) + sizeof(*ip),
			       packet);
}

/* Parses a usual packet; false if it is none. */
static __always_inline bool parse_usual(struct __sk_buff *skb, enum weir_link_header link,
					struct packet *packet)
{
	struct usual usual = {
		.network = (const void *)(long)skb->data,
		.end = (const void *)(long)skb->data_end,
		.length = skb->len,
	};
	const struct ethhdr *ethernet = usual.network;
	__be16 type;

	if (link == WEIR_LINK_NONE) {
		type = (__be16)skb->protocol;
	} else {
		if ((const void *)(ethernet + 1) > usual.end)
			return false;
		type = ethernet->h_proto;
		usual.network = ethernet + 1;
		usual.length -= sizeof(*ethernet);
	}
	if (type == bpf_htons(ETH_P_IP))
		return usual_ipv4(skb, &usual, packet);
	if (type == bpf_htons(ETH_P_IPV6))
		return usual_ipv6(skb, &usual, packet);
	return false;
}

#endif
