/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Parses an skb into the parts of a flow: addresses, ports, protocol, and the packets and bytes
 * on the wire.
 *
 * Every packet with an IP header is in a flow: of its two addresses at least, with the ports 0 where
 * the packet does not have them. Nothing is guessed: bytes after a header that is broken or cut off
 * are not read. A packet without a readable IP header has a kind and a reason.
 */
#ifndef WEIR_PACKET_H
#define WEIR_PACKET_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_core_read.h>

#include "fragments.h"
#include "network.h"
#include "packet_bytes.h"
#include "segments.h"
#include "transport.h"

#define VLAN_HEADER_SIZE 4
#define MAX_VLAN_TAGS 8 /* as the kernel's VLAN_MAX_DEPTH */

static __always_inline bool is_vlan(__be16 ether_type)
{
	return ether_type == bpf_htons(ETH_P_8021Q) || ether_type == bpf_htons(ETH_P_8021AD);
}

/*
 * Walks the VLAN tags of an Ethernet frame: offset of the network header << 16 | EtherType behind
 * them; 0: cut off, or too many. A global function, because the verifier then checks it once,
 * and not all following code once for every number of tags.
 */
__noinline __u64 skip_tags(struct __sk_buff *skb)
{
	__u32 offset = ETH_HLEN;
	__be16 type;

	UNROLLED
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		offset += VLAN_HEADER_SIZE;
		if (bpf_skb_load_bytes(skb, offset - sizeof(type), &type, sizeof(type)))
			return 0;
		if (!is_vlan(type))
			return offset << 16 | type;
	}
	return 0;
}

/*
 * Finds the network header behind the link header. A tag that the device took off the frame
 * (skb->vlan_present) is not in the data and needs no care.
 */
static __always_inline enum packet_kind parse_link(const struct packet_bytes *bytes,
						   enum weir_link_header link,
						   struct packet *packet, struct layout *layout,
						   __be16 *ether_type)
{
	__be16 copy;
	const __be16 *type;
	__u64 found;

	if (link == WEIR_LINK_NONE) {
		layout->network = 0;
		*ether_type = (__be16)bytes->skb->protocol;
		return PACKET_IP;
	}
	packet->reason = WEIR_UNPARSED_LINK;
	layout->network = ETH_HLEN;
	type = header_at(bytes, offsetof(struct ethhdr, h_proto), &copy, sizeof(copy));
	if (!type)
		return PACKET_UNPARSED;
	*ether_type = *type;
	if (!is_vlan(*ether_type))
		return PACKET_IP;
	found = skip_tags(bytes->skb);
	barrier_var(found); /* the compiler knows its bounds, the verifier does not */
	if (!found)
		return PACKET_UNPARSED;
	layout->network = found >> 16 & MAX_NETWORK_OFFSET;
	*ether_type = (__be16)found;
	return PACKET_IP;
}

/* Parses from the network header on, whose offset is layout->network. */
static __always_inline enum packet_kind parse_network(const struct packet_bytes *bytes,
						      __be16 ether_type, struct layout *layout,
						      struct packet *packet)
{
	struct fragment_place fragment = {};
	__u32 transport_header = 0;

	packet->ports = 0;
	packet->tcp_flags = packet->opens = packet->accepts = 0;
	if (ether_type == bpf_htons(ETH_P_IP)) {
		if (!parse_ipv4(bytes, packet, layout, &fragment))
			return PACKET_UNPARSED;
	} else if (ether_type == bpf_htons(ETH_P_IPV6)) {
		if (!parse_ipv6(bytes, packet, layout, &fragment))
			return PACKET_UNPARSED;
	} else {
		return PACKET_NOT_IP;
	}

	packet->reason = WEIR_UNPARSED_TRANSPORT;
	if (fragment.offset || fragment.has_more ?
		    !parse_fragment(bytes, layout, packet, &fragment) :
		    !parse_transport(bytes, layout, packet, &transport_header))
		return PACKET_UNPARSED;
	if (bytes_gso_size(bytes)) {
		count_segments(bytes, layout, transport_header, packet);
	} else {
		packet->wire.packets = 1;
		packet->wire.bytes = layout->end - layout->network;
	}
	return PACKET_IP;
}

/* Parses a packet that crosses an interface, whatever it is. */
static __always_inline enum packet_kind parse_any(struct __sk_buff *skb, enum weir_link_header link,
						  struct packet *packet)
{
	struct packet_bytes bytes = { .skb = skb };
	struct layout layout = {};
	__be16 ether_type = 0;
	enum packet_kind kind = parse_link(&bytes, link, packet, &layout, &ether_type);

	return kind == PACKET_IP ? parse_network(&bytes, ether_type, &layout, packet) : kind;
}

#endif
