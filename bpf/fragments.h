/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Only the first fragment of a packet has ports.
 */
#ifndef WEIR_FRAGMENTS_H
#define WEIR_FRAGMENTS_H

#include "map.h"
#include "packet_bytes.h"
#include "transport.h"

/*
 * Only the first fragment of a packet carries ports; the others find them here. Every
 * sender of fragments adds entries, so the map evicts the least recently used.
 *
 * Several fragments may claim to be the first of one packet, and which one its receiver accepts
 * is unknown. If they contradict each other, the ports of the others are unknown: else the
 * bulk of a packet could be counted under ports that its receiver never sees. Identifiers are
 * used again after a while: so a packet that was followed to its end, in order, or that no
 * receiver waits for any longer, is complete.
 */
struct fragment_key {
	__u64 source[2];
	__u64 destination[2];
	__u32 ifindex;
	__u32 id; /* as in the header, network order */
	__u32 protocol; /* IPv4 only: RFC 791 section 3.2 has it, RFC 8200 section 4.5 has not */
	__u32 version; /* an IPv6 packet may be from ::ffff:a.b.c.d */
};

/* The fields of the flow in the first fragment, and the progress of its packet. */
struct fragment_flow {
	__u64 since; /* ns, CLOCK_MONOTONIC */
	__u32 ports; /* struct packet.ports */
	__u32 next; /* offset behind the fragments that came in order */
	__u8 protocol;
	__u8 is_whole;
	__u8 is_contradicted;
	__u8 pad[5];
};

/* The place of a fragment in its packet, in bytes. */
struct fragment_place {
	__u32 id; /* as in the header, network order */
	__u32 offset;
	__u32 size;
	bool has_more;
};

#define FRAGMENT_UNIT 8
#define FRAGMENT_LIFETIME 30000000000ULL /* ns; the kernel's net.ipv4.ipfrag_time */

RECENT_MAP(fragments, struct fragment_key, struct fragment_flow, 8192);

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
	key->version = packet->version;
}

static __always_inline bool is_over(const struct fragment_flow *flow, __u64 now)
{
	return flow->is_whole || now - flow->since > FRAGMENT_LIFETIME;
}

/* Stores the fields of a first fragment, or that it contradicts another first one. */
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

#endif
