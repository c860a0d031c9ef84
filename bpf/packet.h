/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From an skb to what a flow is made of: addresses, ports, protocol, and the packets and bytes
 * that it is on the wire. Nothing is guessed: what cannot be parsed says why.
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
#define MAX_VLAN_TAGS 2
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

/* ---- Fragments -------------------------------------------------------------------------- */

/*
 * Only the first fragment of a packet carries ports; the others find them here. Written by
 * whoever sends fragments through the node, so the map forgets the least recently used.
 */
struct fragment_key {
	__u64 source[2];
	__u64 destination[2];
	__u32 ifindex;
	__u32 id; /* as in the header, network order */
	__u32 protocol; /* IPv4 only: RFC 791 section 3.2 has it, RFC 8200 section 4.5 has not */
	__u32 pad;
};

/* What the first fragment says of the flow. */
struct fragment_ports {
	__u32 ports; /* struct packet.ports */
	__u32 protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fragment_key);
	__type(value, struct fragment_ports);
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
	UNROLLED
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		if (!is_vlan(*ether_type))
			return PACKET_IP;
		layout->network += VLAN_HEADER_SIZE;
		type = header_at(bytes, layout->network - sizeof(copy), &copy, sizeof(copy));
		if (!type)
			return PACKET_UNPARSED;
		*ether_type = *type;
	}
	return is_vlan(*ether_type) ? PACKET_UNPARSED : PACKET_IP;
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

/*
 * Reads the transport header, and gives its size in header_size (what a segment of a
 * super-packet repeats).
 */
static __always_inline bool parse_transport(const struct packet_bytes *bytes,
					    const struct layout *layout, struct packet *packet,
					    __u32 *header_size)
{
	union {
		struct tcphdr tcp;
		struct udphdr udp;
		struct icmp_header icmp;
	} copy;
	__u32 size;

	*header_size = 0;
	switch (packet->protocol) {
	case IPPROTO_TCP:
		size = sizeof(copy.tcp);
		break;
	case IPPROTO_SCTP:
		size = 12; /* RFC 9260 section 3.1: common header */
		break;
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		size = sizeof(copy.udp);
		break;
	default:
		return true;
	}
	if (layout->transport + size > layout->end)
		return false;
	*header_size = size;

	if (packet->protocol == IPPROTO_TCP) {
		const struct tcphdr *tcp =
			header_at(bytes, layout->transport, &copy, sizeof(copy.tcp));

		if (!tcp)
			return false;
		packet->source_port = tcp->source;
		packet->destination_port = tcp->dest;
		packet->tcp_flags = ((const __u8 *)tcp)[13];
		packet->opens = tcp->syn && !tcp->ack;
		packet->accepts = tcp->syn && tcp->ack;
		*header_size = tcp->doff * 4;
	} else if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
		const struct icmp_header *icmp =
			header_at(bytes, layout->transport, &copy, sizeof(copy.icmp));
		__u8 type;

		if (!icmp)
			return false;
		type = icmp_query_type(packet, icmp->type);
		packet->source_port = packet->opens || packet->accepts ? icmp->id : 0;
		packet->destination_port = bpf_htons(type << 8 | icmp->code);
	} else {
		const struct udphdr *ports =
			header_at(bytes, layout->transport, &copy, sizeof(copy.udp));

		if (!ports)
			return false;
		packet->source_port = ports->source;
		packet->destination_port = ports->dest;
	}
	return true;
}

/*
 * Ports of a fragment. The first one leaves them for the others; one that finds none (the first
 * was not seen, or was overtaken) is counted without ports.
 */
static __always_inline bool parse_fragment(const struct packet_bytes *bytes,
					   const struct layout *layout, struct packet *packet,
					   __u32 id, bool is_first)
{
	struct fragment_ports *found;
	struct fragment_ports first;
	struct fragment_key key;
	__u32 header_size;

	fragment_key_init(&key, packet, bytes->is_dropped ? bytes->ifindex : bytes->skb->ifindex,
			  id);
	if (is_first) {
		if (!parse_transport(bytes, layout, packet, &header_size))
			return false;
		if (bytes->is_dropped)
			return true;
		first.ports = packet->ports;
		first.protocol = packet->protocol;
		bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
		return true;
	}
	found = bpf_map_lookup_elem(&fragments, &key);
	if (found) {
		packet->ports = found->ports;
		packet->protocol = found->protocol;
	}
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
				       struct layout *layout, __u32 *fragment_id, __u16 *fragment)
{
	struct iphdr copy;
	const struct iphdr *ip = header_at(bytes, layout->network, &copy, sizeof(copy));
	__u32 header_size, length;

	packet->reason = WEIR_UNPARSED_NETWORK;
	if (!ip || ip->version != 4)
		return false;
	header_size = ip->ihl * 4;
	length = bpf_ntohs(ip->tot_len);
	/* A super-packet's length may be beyond 16 bits (BIG TCP); it has no padding. */
	if (bytes_gso_size(bytes))
		length = bytes_length(bytes) - layout->network;
	if (header_size < sizeof(*ip) || length < header_size ||
	    layout->network + length > bytes_length(bytes))
		return false;

	packet->version = 4;
	packet->source[0] = packet->destination[0] = 0;
	packet->source[1] = (__u64)ip->saddr << 32 | IPV4_MAPPED;
	packet->destination[1] = (__u64)ip->daddr << 32 | IPV4_MAPPED;
	packet->protocol = ip->protocol;
	layout->transport = layout->network + header_size;
	layout->end = layout->network + length;
	*fragment = bpf_ntohs(ip->frag_off) & (IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET);
	*fragment_id = ip->id;
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
#define EXTENSIONS_BROKEN (1ULL << 63)

/* A place in a chain of headers. */
struct header_chain {
	__u32 offset;
	__u32 end;
	__u32 fragment_header;
	__u8 protocol; /* of what lies at offset */
	bool is_broken;
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

	if (!is_extension(chain->protocol))
		return false;
	if (chain->offset + sizeof(header) > chain->end ||
	    !copy_bytes(bytes, chain->offset, &header, sizeof(header))) {
		chain->is_broken = true;
		return false;
	}
	size = (header.length + 1) * 8;
	if (chain->protocol == IPPROTO_AH)
		size = (header.length + 2) * 4; /* RFC 4302 section 2.2 */
	if (chain->protocol == IPPROTO_FRAGMENT) {
		size = sizeof(header);
		chain->fragment_header = chain->offset;
	}
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
 * Walks the extension headers (RFC 8200 section 4) from an offset up to the transport header.
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
	if (chain.is_broken || chain.offset > chain.end || chain.offset > MAX_TRANSPORT_OFFSET)
		return EXTENSIONS_BROKEN;
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

static __always_inline bool parse_extensions(const struct packet_bytes *bytes,
					     struct packet *packet, struct layout *layout,
					     __u32 *fragment_id, __u16 *fragment)
{
	__u64 found;
	struct {
		__be16 fragment;
		__be32 id;
	} __attribute__((packed)) header;

	if (!is_extension(packet->protocol))
		return true;
	packet->reason = WEIR_UNPARSED_EXTENSION;
	found = bytes->is_dropped ?
			skip_dropped_extensions(bytes->start, bytes->linear, layout->transport,
						layout->end, packet->protocol) :
			skip_extensions(bytes->skb, layout->transport, layout->end,
					packet->protocol);
	if (found & EXTENSIONS_BROKEN)
		return false;
	layout->transport = EXTENSIONS_TRANSPORT(found);
	packet->protocol = EXTENSIONS_PROTOCOL(found);
	if (EXTENSIONS_FRAGMENT(found)) {
		if (!copy_bytes(bytes, EXTENSIONS_FRAGMENT(found) + 2, &header, sizeof(header)))
			return false;
		*fragment =
			bpf_ntohs(header.fragment) & (IPV6_FRAGMENT_OFFSET | IPV6_MORE_FRAGMENTS);
		*fragment_id = header.id;
	}
	/* A later fragment's next header may be anything; else the chain must have ended. */
	return *fragment & IPV6_FRAGMENT_OFFSET || !is_extension(packet->protocol);
}

static __always_inline bool parse_ipv6(const struct packet_bytes *bytes, struct packet *packet,
				       struct layout *layout, __u32 *fragment_id, __u16 *fragment)
{
	struct ipv6hdr copy;
	const struct ipv6hdr *ip = header_at(bytes, layout->network, &copy, sizeof(copy));
	__u32 length;

	packet->reason = WEIR_UNPARSED_NETWORK;
	if (!ip || ip->version != 6)
		return false;
	length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	if (bytes_gso_size(bytes)) {
		/* BIG TCP puts a jumbo option of 8 bytes that never reaches the wire. */
		if (!ip->payload_len && ip->nexthdr == IPPROTO_HOPOPTS)
			layout->offload_header = 8;
		length = bytes_length(bytes) - layout->network;
	}
	if (layout->network + length > bytes_length(bytes))
		return false;

	packet->version = 6;
	__builtin_memcpy(packet->source, &ip->saddr, sizeof(packet->source));
	__builtin_memcpy(packet->destination, &ip->daddr, sizeof(packet->destination));
	packet->protocol = ip->nexthdr;
	layout->transport = layout->network + sizeof(*ip);
	layout->end = layout->network + length;
	return parse_extensions(bytes, packet, layout, fragment_id, fragment);
}

/* ---- The whole -------------------------------------------------------------------------- */

/* Parses from the network header on; layout->network says where it is. */
static __always_inline enum packet_kind parse_network(const struct packet_bytes *bytes,
						      __be16 ether_type, struct layout *layout,
						      struct packet *packet)
{
	__u32 transport_header = 0;
	__u32 fragment_id = 0;
	__u16 fragment = 0;
	bool is_first;

	packet->ports = 0;
	packet->tcp_flags = packet->opens = packet->accepts = 0;
	if (ether_type == bpf_htons(ETH_P_IP)) {
		if (!parse_ipv4(bytes, packet, layout, &fragment_id, &fragment))
			return PACKET_UNPARSED;
		is_first = !(fragment & IP_FRAGMENT_OFFSET);
	} else if (ether_type == bpf_htons(ETH_P_IPV6)) {
		if (!parse_ipv6(bytes, packet, layout, &fragment_id, &fragment))
			return PACKET_UNPARSED;
		is_first = !(fragment & IPV6_FRAGMENT_OFFSET);
	} else {
		return PACKET_NOT_IP;
	}

	packet->reason = WEIR_UNPARSED_TRANSPORT;
	if (fragment ? !parse_fragment(bytes, layout, packet, fragment_id, is_first) :
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
 * Only the linear part is read; what lies outside is PACKET_UNPARSED.
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
