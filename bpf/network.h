/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Addresses and protocol out of the IP headers: options, extension headers, impossible lengths.
 */
#ifndef WEIR_NETWORK_H
#define WEIR_NETWORK_H

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "fragments.h"
#include "packet_bytes.h"

#define MAX_NETWORK_OFFSET \
	0x3f /* what the verifier follows; 8 tags, or an IPv4 header, need less */
#define MAX_EXTENSION_HEADERS 8
#define MAX_TRANSPORT_OFFSET 0x7fff /* what the verifier follows; 8 headers need less */

#define IPV6_FRAGMENT_OFFSET 0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001
#define IPV6_FRAGMENT_HEADER_SIZE 8

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

/* The result of skip_extensions: offsets from the start of the skb's data, in one number. */
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
 * Global functions, because the verifier then checks them once, and not once for every way to
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

#endif
