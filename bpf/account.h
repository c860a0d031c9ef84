/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The traffic of the interfaces that are watched, and the ring for packets that found no slot.
 */
#ifndef WEIR_ACCOUNT_H
#define WEIR_ACCOUNT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "accounts.h"
#include "map.h"
#include "packet.h"
#include "shares.h"
#include "table.h"
#include "upper.h"
#include "usual.h"

/* The agent sets the size. */
RING_MAP(overflow, 4096);

/*
 * An update of a map of maps returns when every program that was running has ended
 * (maybe_wait_bpf_programs, kernel/bpf/syscall.c). The agent uses that as its grace period.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(max_entries, 1);
			__type(key, __u32);
			__type(value, __u32);
		});
} fence SEC(".maps");

/* Adds to a number that only this CPU writes. */
static __always_inline void pair_add(struct weir_pair *pair, __u64 packets, __u64 bytes)
{
	if (config.is_preemptible) {
		pair_add_atomic(pair, packets, bytes);
	} else {
		pair->packets += packets;
		pair->bytes += bytes;
	}
}

/*
 * Sends the packet to the agent, and wakes it when the ring fills; false if the ring is full, or
 * the interface has used up its share of it.
 */
static __always_inline bool overflow_send(struct weir_interface *interface,
					  const struct weir_flow_key *key,
					  const struct weir_pair *wire, __u32 marks, int direction,
					  enum weir_event_kind kind, __u16 reason)
{
	__u64 waiting = bpf_ringbuf_query(&overflow, BPF_RB_AVAIL_DATA);
	struct weir_overflow_event *event;

	if (!share_has_ring(interface, waiting))
		return false;
	event = bpf_ringbuf_reserve(&overflow, sizeof(*event), 0);
	if (!event)
		return false;
	event->key = *key;
	event->bytes = wire->bytes;
	event->packets = wire->packets;
	event->marks = marks;
	event->direction = direction;
	event->kind = kind;
	event->reason = reason;
	event->pad = 0;
	__sync_fetch_and_add(&interface->ring, 1);
	bpf_ringbuf_submit(event,
			   waiting >= config.ring_wakeup ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
	return true;
}

/* The IPv4 address in the second word of a packet's address. */
static __always_inline __u32 packet_ipv4(const __u64 *address)
{
	return address[1] >> 32;
}

static __always_inline void flow_key_init(struct weir_flow_key *key, const struct packet *packet,
					  __u32 position, int direction)
{
	bool is_icmp = packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6;
	bool source_is_near = direction == WEIR_INGRESS;
	const __u64 *near = source_is_near ? packet->source : packet->destination;
	const __u64 *far = source_is_near ? packet->destination : packet->source;

	/* An ICMP identifier belongs to the conversation, not to an end. */
	key->near_port = source_is_near || is_icmp ? packet->source_port : packet->destination_port;
	key->far_port = source_is_near || is_icmp ? packet->destination_port : packet->source_port;
	key->protocol = packet->protocol;
	key->interface = position;
	if (is_ipv4(packet)) {
		key->state = WEIR_SLOT_LIVE_V4;
		key->addr[0] = key->addr[2] = key->addr[3] = 0;
		key->addr[1] = (__u64)packet_ipv4(far) << 32 | packet_ipv4(near);
	} else {
		key->state = WEIR_SLOT_LIVE_V6;
		key->addr[0] = near[0];
		key->addr[1] = near[1];
		key->addr[2] = far[0];
		key->addr[3] = far[1];
	}
}

static __always_inline __u32 flow_marks(const struct packet *packet, int direction)
{
	__u32 marks = (__u32)packet->tcp_flags << WEIR_MARK_TCP_FLAGS(direction);

	if (packet->opens)
		marks |= WEIR_MARK_OPENED_INGRESS << direction;
	if (packet->accepts)
		marks |= WEIR_MARK_ACCEPTED_INGRESS << direction;
	return marks;
}

/* Counts a frame that is not an IP packet, or not a whole one. */
static __always_inline void count_frame(struct __sk_buff *skb, __u32 position, int direction,
					enum packet_kind kind, enum weir_unparsed reason)
{
	struct weir_interface *interface = interface_at(position);

	if (!interface)
		return;
	if (kind == PACKET_NOT_IP) {
		pair_add_atomic(&interface->not_ip[direction], 1, skb->len);
		return;
	}
	pair_add_atomic(&interface->unparsed[direction], 1, skb->len);
	reason &= WEIR_UNPARSED_REASONS - 1; /* for the verifier */
	__sync_fetch_and_add(&interface->unparsed_reason[direction][reason], 1);
}

/*
 * Counts a packet in its flow, which may have to be begun, else in the ring, else in the remainder of
 * its interface. Returns whether it is one of the first of a flow of UDP in its direction. place: as
 * in table_add. direction is a constant where this is inlined: old verifiers
 * (Linux 6.1) follow an unknown direction through every state of the search, and
 * fail.
 */
static __always_inline int count_in(const struct weir_flow_key *key, __u64 lane, __u32 marks,
				    int direction, __u64 place)
{
	struct weir_pair wire = {
		.packets = lane >> WEIR_LANE_BYTES_BITS,
		.bytes = lane & WEIR_LANE_BYTES,
	};
	struct weir_interface *interface;

	if (!key)
		return 0;
	switch (table_add(key, &wire, marks, direction, place)) {
	case TABLE_BEGUN:
		return key->protocol == IPPROTO_UDP;
	case TABLE_ADDED:
		return 0;
	default:
		break;
	}
	if (direction == WEIR_EGRESS)
		marks |= WEIR_MARK_FIRST_EGRESS;
	interface = interface_at(key->interface);
	if (interface &&
	    !overflow_send(interface, key, &wire, marks, direction, WEIR_EVENT_PACKET, 0))
		pair_add_atomic(&interface->remainder[direction], wire.packets, wire.bytes);
	return 0;
}

/*
 * Global functions, because the verifier then checks them once, and not for each kind of packet.
 */
__noinline int count_in_ingress(const struct weir_flow_key *key, __u64 lane, __u32 marks,
				__u64 place)
{
	return count_in(key, lane, marks, WEIR_INGRESS, place);
}

__noinline int count_in_egress(const struct weir_flow_key *key, __u64 lane, __u32 marks,
			       __u64 place)
{
	return count_in(key, lane, marks, WEIR_EGRESS, place);
}

/* The addition of a packet to a flow. */
struct addition {
	struct weir_flow_key key;
	__u64 lane; /* packets and bytes, as a lane has them */
	__u32 marks;
	__u64 place; /* as in table_add */
};

/*
 * Parses an unusual packet, and counts it in the account; returns whether there is something to add
 * to a flow. A function of its own, so that the rare case takes no registers from the usual
 * one.
 */
static __noinline int count_unusual(struct __sk_buff *skb, struct weir_account *account,
				    __u32 position, int direction, struct addition *addition)
{
	struct packet packet;
	enum packet_kind kind;

	pair_add(&account->skb, 1, skb->len);
	kind = parse_any(skb, account->link_header, &packet);
	if (kind != PACKET_IP) {
		pair_add(&account->seen, 1, skb->len);
		count_frame(skb, position, direction, kind, packet.reason);
		return false;
	}
	pair_add(&account->seen, packet.wire.packets, packet.wire.bytes);
	flow_key_init(&addition->key, &packet, position, direction);
	addition->lane = lane_of(&packet.wire);
	addition->marks = flow_marks(&packet, direction);
	addition->place = 0;
	return true;
}

/* The position of an interface that is not at its first place; WEIR_MAX_INTERFACES if there is none. */
static __noinline __u32 position_of(__u32 ifindex, int direction)
{
	__u32 position;

	return account_find(ifindex, direction, &position) ? position : WEIR_MAX_INTERFACES;
}

static __always_inline __u32 usual_marks(const struct usual *usual)
{
	__u32 opening = usual->tcp_flags & (TCP_SYN | TCP_ACK);
	__u32 marks = usual->tcp_flags << WEIR_MARK_TCP_FLAGS(usual->direction);

	if (opening == TCP_SYN)
		marks |= WEIR_MARK_OPENED_INGRESS << usual->direction;
	if (opening == (TCP_SYN | TCP_ACK))
		marks |= WEIR_MARK_ACCEPTED_INGRESS << usual->direction;
	return marks;
}

/*
 * Counts a usual packet in the account, and in its flow if that is known and this CPU's; else fills
 * in the addition, and returns true. is_v4 is a constant where this is inlined.
 */
static __always_inline bool count_usual(const struct usual *usual, bool is_v4,
					struct weir_account *account, struct addition *addition)
{
	__u64 packets = usual->packets;
	__u64 bytes = usual->bytes;
	__u64 lane = packets << WEIR_LANE_BYTES_BITS | bytes;
	int direction = usual->direction;
	__u32 self = account->owner;
	__u64 place = 0;

	if (LIKELY(self)) {
		account->skb.packets += 1;
		account->skb.bytes += usual->skb->len;
		account->seen.packets += packets;
		account->seen.bytes += bytes;
		if (LIKELY(!(usual->tcp_flags & TCP_SYN)) &&
		    LIKELY(table_add_known(&usual->key, is_v4, self, lane,
					   usual->tcp_flags << WEIR_MARK_TCP_FLAGS(direction),
					   direction, &place)))
			return false;
	} else {
		pair_add_atomic(&account->skb, 1, usual->skb->len);
		pair_add_atomic(&account->seen, packets, bytes);
	}
	view_copy(&usual->key, is_v4, &addition->key);
	addition->lane = lane;
	addition->marks = usual_marks(usual);
	addition->place = place;
	return true;
}

/*
 * Counts one skb by its kind, exactly once, and in the account of its interface. Returns whether it is
 * one of the first of a flow of UDP in its direction.
 */
static __always_inline bool count_skb(struct __sk_buff *skb, int direction)
{
	__u32 ifindex = skb->ifindex;
	__u32 position = ifindex & (WEIR_MAX_INTERFACES - 1);
	struct weir_account *account = account_at(position, direction);
	struct addition addition;
	struct usual usual;
	__u32 type;

	if (UNLIKELY(!account || account->ifindex != ifindex)) {
		position = position_of(ifindex, direction);
		account = position < WEIR_MAX_INTERFACES ? account_at(position, direction) : NULL;
		if (!account)
			return false;
	}
	if (direction == WEIR_INGRESS && UNLIKELY(account->flags & WEIR_INTERFACE_HAS_UPPER))
		remember_skb(skb, position);
	type = usual_begin(skb, account->link_header, position, direction, &usual);
	if (type == bpf_htons(ETH_P_IP) && LIKELY(usual_ipv4(&usual))) {
		if (LIKELY(!count_usual(&usual, true, account, &addition)))
			return false;
	} else if (type == bpf_htons(ETH_P_IPV6) && LIKELY(usual_ipv6(&usual))) {
		if (LIKELY(!count_usual(&usual, false, account, &addition)))
			return false;
	} else if (!count_unusual(skb, account, position, direction, &addition)) {
		return false;
	}
	if (direction == WEIR_INGRESS)
		return count_in_ingress(&addition.key, addition.lane, addition.marks,
					addition.place);
	return count_in_egress(&addition.key, addition.lane, addition.marks, addition.place);
}

#endif
