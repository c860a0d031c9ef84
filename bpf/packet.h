/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From an skb to what a flow is made of: addresses, ports, protocol, and the packets and bytes
 * that it is on the wire.
 *
 * Whatever has an IP header is in a flow: of its two addresses at least, with the ports 0 where
 * the packet does not have them. Nothing is guessed: what lies behind a header that is broken or
 * cut off is not read. What has no IP header, or one that cannot be read, says why.
 */
#ifndef WEIR_PACKET_H
#define WEIR_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

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

/* Where the layers of the packet are, in bytes from the start of what is parsed. */
struct layout {
	__u32 network;
	__u32 transport;
	__u32 available; /* from there; 0: what is there is not what the headers say */
	__u32 end; /* of the IP packet; link-layer padding lies behind it */
	__u32 offload_header; /* bytes of the IP packet that are not on the wire at all */
};

/*
 * Where the bytes of a packet are. The packet path has the context of its program; the drop path
 * has a bare sk_buff, of which it reads the linear part only. Which of the two is known where the
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

static __always_inline __u32 bytes_length(const struct packet_bytes *bytes)
{
	return bytes->is_dropped ? bytes->length : bytes->skb->len;
}

static __always_inline __u32 bytes_gso_size(const struct packet_bytes *bytes)
{
	return bytes->is_dropped ? bytes->gso_size : bytes->skb->gso_size;
}

#define VLAN_HEADER_SIZE 4
#define MAX_VLAN_TAGS 8 /* as the kernel's VLAN_MAX_DEPTH */
#define MAX_NETWORK_OFFSET \
	0x3f /* what the verifier follows; 8 tags, or an IPv4 header, need less */
#define MAX_EXTENSION_HEADERS 8
#define MAX_TRANSPORT_OFFSET 0x7fff /* what the verifier follows; 8 headers need less */

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

#define IPV4_MAPPED bpf_htonl(0xffff)
#define IP_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001
#define IPV6_FRAGMENT_HEADER_SIZE 8

/* ---- Fragments -------------------------------------------------------------------------- */

/*
 * Only the first fragment of a packet carries ports; the others find them here. Written by
 * whoever sends fragments through the node, so the map forgets the least recently used.
 *
 * Several fragments may claim to be the first of one packet, and which one its receiver believes
 * cannot be known. If they contradict each other, the ports of the others are unknown: else the
 * bulk of a packet could be counted under ports that its receiver never sees. Identifiers are
 * used again after a while: so a packet that was followed to its end, in order, or that no
 * receiver waits for any longer, is over.
 */
struct fragment_key {
	__u64 source[2];
	__u64 destination[2];
	__u32 ifindex;
	__u32 id; /* as in the header, network order */
	__u32 protocol; /* IPv4 only: RFC 791 section 3.2 has it, RFC 8200 section 4.5 has not */
	__u32 pad;
};

/* What the first fragment says of the flow, and how far its packet was followed. */
struct fragment_flow {
	__u64 since; /* ns, CLOCK_MONOTONIC */
	__u32 ports; /* struct packet.ports */
	__u32 next; /* offset behind the fragments that came in order */
	__u8 protocol;
	__u8 is_whole;
	__u8 is_contradicted;
	__u8 pad[5];
};

/* Where a fragment lies in its packet, in bytes. */
struct fragment_place {
	__u32 id; /* as in the header, network order */
	__u32 offset;
	__u32 size;
	bool has_more;
};

#define FRAGMENT_UNIT 8
#define FRAGMENT_LIFETIME 30000000000ULL /* ns; the kernel's net.ipv4.ipfrag_time */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fragment_key);
	__type(value, struct fragment_flow);
} fragments SEC(".maps");

static __always_inline bool is_ipv4(const struct packet *packet)
{
	return packet->version == 4;
}

static __always_inline void fragment_key_init(struct fragment_key *key, const struct packet *packet,
					      __u32 ifindex, __u32 id)
{
	key->source[0] = packet->source[0];
	key->source[1] = packet->source[1];
	key->destination[0] = packet->destination[0];
	key->destination[1] = packet->destination[1];
	key->ifindex = ifindex;
	key->id = id;
	key->protocol = is_ipv4(packet) ? packet->protocol : 0;
	key->pad = 0;
}

/* ---- Headers ---------------------------------------------------------------------------- */

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

static __always_inline bool is_vlan(__be16 ether_type)
{
	return ether_type == bpf_htons(ETH_P_8021Q) || ether_type == bpf_htons(ETH_P_8021AD);
}

/*
 * Walks the VLAN tags of an Ethernet frame: offset of the network header << 16 | EtherType behind
 * them; 0: cut off, or too many. A global function, because the verifier then looks at it once,
 * and not at all that follows once for every number of tags.
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

/* ---- Transport -------------------------------------------------------------------------- */

/* Folds the type of a reply onto the type of its query, and says which of the two it was. */
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
 * Reads of the transport header what is in the packet: the ports, if all four bytes of them are,
 * and the flags of TCP. header_size becomes what a segment of a super-packet repeats. False: it is
 * in the packet and cannot be read.
 */
static __always_inline bool parse_transport(const struct packet_bytes *bytes,
					    const struct layout *layout, struct packet *packet,
					    __u32 *header_size)
{

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
	return copy_bytes(bytes, layout->transport, &packet->ports, PORTS_SIZE);
}

/* ---- Fragments -------------------------------------------------------------------------- */

static __always_inline bool is_over(const struct fragment_flow *flow, __u64 now)
{
	return flow->is_whole || now - flow->since > FRAGMENT_LIFETIME;
}

/* Keeps what the first fragment of a packet says, or that it contradicts another first one. */
static __always_inline void remember_first(const struct fragment_key *key,
					   const struct packet *packet, __u32 size, __u64 now)
{
	struct fragment_flow *found = bpf_map_lookup_elem(&fragments, key);
	struct fragment_flow first = {
		.since = now,
		.ports = packet->ports,
		.next = size,
		.protocol = packet->protocol,
	};

	if (!found || is_over(found, now))
		bpf_map_update_elem(&fragments, key, &first, BPF_ANY);
	else if (found->ports != packet->ports || found->protocol != packet->protocol)
		found->is_contradicted = true;
}

/* Gives a later fragment the protocol and the ports of the first one, if that was seen. */
static __always_inline void recall_first(const struct packet_bytes *bytes,
					 const struct fragment_key *key, struct packet *packet,
					 const struct fragment_place *place, __u64 now)
{
	struct fragment_flow *found = bpf_map_lookup_elem(&fragments, key);

	if (!found || now - found->since > FRAGMENT_LIFETIME)
		return;
	if (!found->is_contradicted) {
		packet->ports = found->ports;
		packet->protocol = found->protocol;
	}
	if (bytes->is_dropped || place->offset != found->next)
		return;
	found->next = place->offset + place->size;
	found->is_whole = !place->has_more;
}

static __always_inline bool parse_fragment(const struct packet_bytes *bytes,
					   const struct layout *layout, struct packet *packet,
					   const struct fragment_place *place)
{
	__u64 now = bpf_ktime_get_ns();
	struct fragment_key key;
	__u32 header_size;

	fragment_key_init(&key, packet, bytes->is_dropped ? bytes->ifindex : bytes->skb->ifindex,
			  place->id);
	if (place->offset) {
		recall_first(bytes, &key, packet, place, now);
		return true;
	}
	if (!parse_transport(bytes, layout, packet, &header_size))
		return false;
	/* No receiver keeps a fragment of less than the unit that offsets count in. */
	if (!bytes->is_dropped && place->size >= FRAGMENT_UNIT)
		remember_first(&key, packet, place->size, now);
	return true;
}

/* ---- Super-packets ---------------------------------------------------------------------- */

static __always_inline struct sk_buff *kernel_skb_of(const struct packet_bytes *bytes)
{
	return bytes->is_dropped ? bytes->dropped : (void *)bytes->skb;
}

static __always_inline struct skb_shared_info *shared_info(struct sk_buff *skb)
{
	return (void *)BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end);
}

/*
 * Bytes from the start of the IP packet to the payload that a super-packet cuts into segments,
 * where tunnel headers lie between: up to the end of the inner transport header.
 */
static __always_inline __u32 tunnel_headers(const struct packet_bytes *bytes,
					    const struct layout *layout, __u32 gso_type)
{
	struct sk_buff *kernel_skb = kernel_skb_of(bytes);
	__u32 inner = BPF_CORE_READ(kernel_skb, inner_transport_header);
	__u64 start = bytes->is_dropped ? bytes->start : (__u64)BPF_CORE_READ(kernel_skb, data);
	__u32 headroom = start - (__u64)BPF_CORE_READ(kernel_skb, head);
	__u32 size = sizeof(struct udphdr);

	if (inner <= headroom + layout->transport || inner > headroom + layout->end)
		return 0; /* never set: a packet that was merged on receive */
	inner -= headroom;
	if (gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) {
		__u8 data_offset;

		if (!copy_bytes(bytes, inner + 12, &data_offset, sizeof(data_offset)))
			return 0;
		size = (data_offset >> 4) * 4;
	}
	return inner + size - layout->network;
}

/*
 * What a super-packet is on the wire: gso_segs packets, each with its own copy of the headers.
 * gso_segs is 0 where whoever made the super-packet did not count (a virtual machine, tun).
 */
static __always_inline void count_segments(const struct packet_bytes *bytes,
					   const struct layout *layout, __u32 transport_header,
					   struct packet *packet)
{
	struct skb_shared_info *shared = shared_info(kernel_skb_of(bytes));
	__u32 gso_type = BPF_CORE_READ(shared, gso_type);
	__u32 headers = layout->transport - layout->network + transport_header;
	__u32 length = layout->end - layout->network;
	__u32 segments = bytes->is_dropped ? bytes->gso_segs : bytes->skb->gso_segs;
	__u32 size = bytes_gso_size(bytes);
	__u32 fragment_header = 0;

	if (gso_type & SKB_GSO_TUNNELS) {
		__u32 with_tunnel = tunnel_headers(bytes, layout, gso_type);

		if (with_tunnel)
			headers = with_tunnel;
	}
	if (gso_type & SKB_GSO_UDP) {
		/* Fragments repeat the IP header only; those of IPv6 have a header of their own. */
		headers = layout->transport - layout->network;
		fragment_header = is_ipv4(packet) ? 0 : 8;
		segments = 0;
	}
	if (!segments)
		segments = length > headers && size ? (length - headers + size - 1) / size : 1;
	headers -= layout->offload_header;
	length -= layout->offload_header;
	packet->wire.packets = segments;
	packet->wire.bytes = length + (__u64)(segments - 1) * headers + segments * fragment_header;
}

/* ---- Network ---------------------------------------------------------------------------- */

static __always_inline bool parse_ipv4(const struct packet_bytes *bytes, struct packet *packet,
				       struct layout *layout, struct fragment_place *fragment)
{
	struct iphdr copy;
	const struct iphdr *ip = header_at(bytes, layout->network, &copy, sizeof(copy));
	__u32 header_size, length, available;
	bool is_sound;
	__u16 word;

	packet->reason = WEIR_UNPARSED_NETWORK;
	if (!ip || ip->version != 4)
		return false;
	header_size = ip->ihl * 4;
	length = bpf_ntohs(ip->tot_len);
	available = bytes_length(bytes) - layout->network;
	/* A super-packet's length may be beyond 16 bits (BIG TCP); it has no padding. */
	if (bytes_gso_size(bytes) || length < sizeof(*ip) || length > available)
		length = available;

	packet->version = 4;
	packet->source[0] = packet->destination[0] = 0;
	packet->source[1] = (__u64)ip->saddr << 32 | IPV4_MAPPED;
	packet->destination[1] = (__u64)ip->daddr << 32 | IPV4_MAPPED;
	packet->protocol = ip->protocol;
	layout->end = layout->network + length;
	is_sound = header_size >= sizeof(*ip) && header_size <= length;
	layout->available = is_sound ? length - header_size : 0;
	header_size = is_sound ? header_size : sizeof(*ip);
	barrier_var(header_size); /* the compiler would lose its bound for the verifier */
	layout->transport = layout->network + (header_size & MAX_NETWORK_OFFSET);
	word = bpf_ntohs(ip->frag_off);
	fragment->id = ip->id;
	fragment->offset = (word & IP_FRAGMENT_OFFSET) * FRAGMENT_UNIT;
	fragment->size = layout->available;
	fragment->has_more = word & IP_MORE_FRAGMENTS;
	return true;
}

static __always_inline bool is_extension(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
		return true;
	}
	return false;
}

/* What skip_extensions found: offsets from the start of the skb's data, in one number. */
#define EXTENSIONS_TRANSPORT(found) ((__u32)(found) & MAX_TRANSPORT_OFFSET)
#define EXTENSIONS_FRAGMENT(found) ((__u32)((found) >> 16) & MAX_TRANSPORT_OFFSET) /* 0: none */
#define EXTENSIONS_PROTOCOL(found) ((__u8)((found) >> 32))
#define EXTENSIONS_UNREADABLE (1ULL << 63)

/* A place in a chain of headers. */
struct header_chain {
	__u32 offset;
	__u32 end;
	__u32 fragment_header;
	__u8 protocol; /* of what lies at offset */
	bool is_unreadable;
};

/* Steps over one extension header; false if there is none to step over any more. */
static __always_inline bool skip_extension(const struct packet_bytes *bytes,
					   struct header_chain *chain)
{
	struct {
		__u8 next;
		__u8 length;
		__be16 fragment;
		__be32 id;
	} header;
	__u32 size;

	if (!is_extension(chain->protocol) || chain->offset + sizeof(header) > chain->end)
		return false;
	if (!copy_bytes(bytes, chain->offset, &header, sizeof(header))) {
		chain->is_unreadable = true;
		return false;
	}
	size = (header.length + 1) * 8;
	if (chain->protocol == IPPROTO_AH)
		size = (header.length + 2) * 4; /* RFC 4302 section 2.2 */
	if (chain->protocol == IPPROTO_FRAGMENT)
		size = sizeof(header);
	if (chain->offset + size > chain->end)
		return false;
	if (chain->protocol == IPPROTO_FRAGMENT)
		chain->fragment_header = chain->offset;
	chain->offset += size;
	/* Behind the header of a later fragment lies payload. */
	if (chain->protocol == IPPROTO_FRAGMENT &&
	    header.fragment & bpf_htons(IPV6_FRAGMENT_OFFSET)) {
		chain->protocol = header.next;
		return false;
	}
	chain->protocol = header.next;
	return true;
}

/*
 * Walks the extension headers (RFC 8200 section 4) from an offset up to the transport header, or
 * to the header where the chain leaves the packet or is too long.
 */
static __always_inline __u64 walk_extensions(const struct packet_bytes *bytes, __u32 offset,
					     __u32 end, __u8 protocol)
{
	struct header_chain chain = {
		.offset = offset & MAX_TRANSPORT_OFFSET,
		.end = end,
		.protocol = protocol,
	};
	bool has_more = true;

	UNROLLED
	for (int i = 0; i < MAX_EXTENSION_HEADERS; i++) {
		if (has_more)
			has_more = skip_extension(bytes, &chain);
	}
	if (chain.is_unreadable)
		return EXTENSIONS_UNREADABLE;
	return (__u64)chain.protocol << 32 | chain.fragment_header << 16 | chain.offset;
}

/*
 * Global functions, because the verifier then looks at them once, and not once for every way to
 * get here and every number of headers. They take what a global function may take.
 */
__noinline __u64 skip_extensions(struct __sk_buff *skb, __u32 offset, __u32 end, __u8 protocol)
{
	struct packet_bytes bytes = { .skb = skb };

	return walk_extensions(&bytes, offset, end, protocol);
}

__noinline __u64 skip_dropped_extensions(__u64 start, __u32 linear, __u32 offset, __u32 end,
					 __u8 protocol)
{
	struct packet_bytes bytes = { .is_dropped = true, .start = start, .linear = linear };

	return walk_extensions(&bytes, offset, end, protocol);
}

static __always_inline bool parse_fragment_header(const struct packet_bytes *bytes, __u32 offset,
						  const struct layout *layout,
						  struct fragment_place *fragment)
{
	struct {
		__be16 place;
		__be32 id;
	} __attribute__((packed)) header;

	if (!copy_bytes(bytes, offset + 2, &header, sizeof(header)))
		return false;
	fragment->id = header.id;
	fragment->offset = bpf_ntohs(header.place) & IPV6_FRAGMENT_OFFSET;
	fragment->size = layout->end - offset - IPV6_FRAGMENT_HEADER_SIZE;
	fragment->has_more = header.place & bpf_htons(IPV6_MORE_FRAGMENTS);
	return true;
}

static __always_inline bool parse_extensions(const struct packet_bytes *bytes,
					     struct packet *packet, struct layout *layout,
					     struct fragment_place *fragment)
{
	__u64 found;

	if (!is_extension(packet->protocol))
		return true;
	packet->reason = WEIR_UNPARSED_EXTENSION;
	found = bytes->is_dropped ?
			skip_dropped_extensions(bytes->start, bytes->linear, layout->transport,
						layout->end, packet->protocol) :
			skip_extensions(bytes->skb, layout->transport, layout->end,
					packet->protocol);
	if (found & EXTENSIONS_UNREADABLE)
		return false;
	packet->protocol = EXTENSIONS_PROTOCOL(found);
	layout->transport = EXTENSIONS_TRANSPORT(found);
	return !EXTENSIONS_FRAGMENT(found) ||
	       parse_fragment_header(bytes, EXTENSIONS_FRAGMENT(found), layout, fragment);
}

static __always_inline bool parse_ipv6(const struct packet_bytes *bytes, struct packet *packet,
				       struct layout *layout, struct fragment_place *fragment)
{
	struct ipv6hdr copy;
	const struct ipv6hdr *ip = header_at(bytes, layout->network, &copy, sizeof(copy));
	__u32 length, available;

	packet->reason = WEIR_UNPARSED_NETWORK;
	if (!ip || ip->version != 6)
		return false;
	length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	available = bytes_length(bytes) - layout->network;
	if (!ip->payload_len && ip->nexthdr == IPPROTO_HOPOPTS) {
		/*
		 * A jumbogram (RFC 2675), or what the kernel takes for one whatever the options
		 * are. The jumbo option of 8 bytes that BIG TCP puts never reaches the wire.
		 */
		length = available;
		layout->offload_header = bytes_gso_size(bytes) ? 8 : 0;
	}
	if (bytes_gso_size(bytes) || length > available)
		length = available;

	packet->version = 6;
	__builtin_memcpy(packet->source, &ip->saddr, sizeof(packet->source));
	__builtin_memcpy(packet->destination, &ip->daddr, sizeof(packet->destination));
	packet->protocol = ip->nexthdr;
	layout->transport = layout->network + sizeof(*ip);
	layout->end = layout->network + length;
	if (!parse_extensions(bytes, packet, layout, fragment))
		return false;
	layout->available = layout->end - layout->transport;
	return true;
}

/* ---- The whole -------------------------------------------------------------------------- */

/* Parses from the network header on; layout->network says where it is. */
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

/* Parses a packet that crosses an interface. */
static __always_inline enum packet_kind
parse_packet(struct __sk_buff *skb, enum weir_link_header link, struct packet *packet)
{
	struct packet_bytes bytes = { .skb = skb };
	struct layout layout = {};
	__be16 ether_type = 0;
	enum packet_kind kind = parse_link(&bytes, link, packet, &layout, &ether_type);

	return kind == PACKET_IP ? parse_network(&bytes, ether_type, &layout, packet) : kind;
}

/*
 * Parses a packet that was dropped, wherever its data began then: the network header is marked.
 * Only the linear part is read; a header that lies outside is PACKET_UNPARSED, and never taken for
 * one that the packet does not have: its flow has ports, and is another than that without.
 */
static __always_inline enum packet_kind parse_dropped(struct sk_buff *skb, __u32 ifindex,
						      struct packet *packet)
{
	struct skb_shared_info *shared = (void *)skb->head + skb->end;
	__u64 start = (__u64)skb->head + skb->network_header;
	__u32 length = skb->len + (__u32)((__u64)skb->data - start);
	struct packet_bytes bytes = {
		.is_dropped = true,
		.dropped = skb,
		.start = start,
		.linear = length - skb->data_len,
		.length = length,
		.ifindex = ifindex,
		.gso_size = BPF_CORE_READ(shared, gso_size),
	};
	struct layout layout = {};

	if (bytes.gso_size)
		bytes.gso_segs = BPF_CORE_READ(shared, gso_segs);
	return parse_network(&bytes, skb->protocol, &layout, packet);
}

#endif
