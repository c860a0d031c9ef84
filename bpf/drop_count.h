/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Counts dropped packets by flow, and by interface and reason.
 */
#ifndef WEIR_DROP_COUNT_H
#define WEIR_DROP_COUNT_H

#include "account.h"
#include "dropped.h"
#include "map.h"

const volatile struct weir_drop_config drop_config = {};

/*
 * Beside the flow table: the drops of the flow in the slot of the same index. The agent sets the
 * number of slots.
 */
SHARED_ARRAY_MAP(drops, struct weir_drop_slot, WEIR_MIN_SLOTS);

/* A bit for each slot. The agent sets the size. */
SHARED_ARRAY_MAP(dropped, __u64, WEIR_MIN_SLOTS >> WEIR_OCCUPIED_SHIFT);

SHARED_ARRAY_MAP(drop_interfaces, struct weir_drop_interface, WEIR_MAX_INTERFACES);

/*
 * Packets by reason: index = interface position * drop_config.reasons + reason. The agent multiplies
 * the size by the reasons.
 */
SHARED_ARRAY_MAP(drop_counts, __u64, WEIR_MAX_INTERFACES);

/* Marks the slot as one to drain. Called after the count was added. */
static __always_inline void slot_mark_dropped(__u32 index)
{
	__u32 position = (index & config.slot_mask) >> WEIR_OCCUPIED_SHIFT;
	__u64 *word = bpf_map_lookup_elem(&dropped, &position);
	__u64 before;

	if (!word)
		return;
	before = __sync_fetch_and_or(word, 1ULL << (index & ((1U << WEIR_OCCUPIED_SHIFT) - 1)));
	/* Its result is used: only then is the operation ordered after the additions. */
	asm volatile("" ::"r"(before));
}

/* The lane of denied packets that this one is counted in. */
static __always_inline __u32 drop_lane(const struct drop *drop)
{
	return drop->kind & WEIR_DROP_BEFORE_INGRESS ? WEIR_DROP_UNCOUNTED : drop->direction & 1;
}

/*
 * Counts a dropped packet in a slot; returns 0.
 *
 * Global functions from here on: with an index that is not constant in the same function, the
 * verifier of Linux 6.1 follows every state of the search before it, and gives up.
 */
__noinline int slot_drop(__u32 index, const struct drop *drop, const struct packet *packet)
{
	__u32 masked = index & config.slot_mask;
	struct weir_drop_slot *slot = bpf_map_lookup_elem(&drops, &masked);
	const struct weir_pair *wire;
	__u32 direction, lane;

	if (!slot || !drop || !packet)
		return 0;
	wire = &packet->wire;
	direction = drop->direction & 1; /* for the verifier */
	lane = drop_lane(drop);
	if ((drop->kind & WEIR_DROP_CLASS) == WEIR_DROP_DECISION) {
		slot->decision = drop->reason;
		if (drop->is_translated) {
			slot->destination[0] = drop->destination[0];
			slot->destination[1] = drop->destination[1];
			slot->destination_port = bpf_ntohs(drop->destination_port);
		}
		__sync_fetch_and_add(&slot->bytes[lane], wire->bytes);
		__sync_fetch_and_add(&slot->packets[lane], (__u32)wire->packets);
	} else {
		slot->failure_reason = drop->reason;
		__sync_fetch_and_add(&slot->failures[direction], (__u32)wire->packets);
	}
	slot_mark_dropped(index);
	return 0;
}

/* Counts a denied packet that has no slot: in the ring, else in the remainder; returns 0. */
__noinline int count_denied_outside(const struct drop *drop, const struct weir_flow_key *key,
				    const struct packet *packet, __u32 marks)
{
	struct weir_drop_interface *denied;
	struct weir_interface *interface;
	bool is_uncounted;
	__u32 position;

	if (!drop || !key || !packet)
		return 0;
	position = drop->position; /* before Linux 6.2 a key has to lie on the stack */
	denied = bpf_map_lookup_elem(&drop_interfaces, &position);
	is_uncounted = drop->kind & WEIR_DROP_BEFORE_INGRESS;
	interface = interface_at(position);
	if (!interface || !denied ||
	    overflow_send(interface, key, &packet->wire, marks, drop->direction,
			  is_uncounted ? WEIR_EVENT_DENIED_UNCOUNTED : WEIR_EVENT_DENIED,
			  drop->reason))
		return 0;
	pair_add_atomic(&denied->remainder[drop_lane(drop)], packet->wire.packets,
			packet->wire.bytes);
	return 0;
}

/*
 * Counts a denied packet in its flow, which begins here if it has not. It never adds to a lane and
 * owns none: this program may run inside of one that does.
 */
static __always_inline void count_denied(const struct drop *drop, const struct weir_flow_key *key,
					 const struct packet *packet)
{
	__u32 marks = flow_marks(packet, drop->direction);
	struct weir_account *account = account_at(drop->position, drop->direction & 1);
	__u64 place;
	__u32 index;

	if (!account)
		return;
	/* On some kernels a drop in an interrupt runs inside of this one. */
	pair_add_atomic(&account->denied, packet->wire.packets, packet->wire.bytes);
	if (drop->direction == WEIR_EGRESS)
		marks |= WEIR_MARK_FIRST_EGRESS;
	if (!slot_find(key, &index, &place)) {
		/* The coarse clock is not for programs that may run anywhere. */
		int claimed = table_claim(key, place, marks, 0,
					  bpf_ktime_get_ns() >> WEIR_BIRTH_UNIT_SHIFT);

		if (claimed == TABLE_FULL) {
			count_denied_outside(drop, key, packet, marks);
			return;
		}
		index = claimed;
	}
	slot_drop(index, drop, packet);
}

/* Counts a packet that was dropped without a decision, if its flow has a slot; it makes no flow by itself. */
static __always_inline void count_failure(const struct drop *drop, const struct weir_flow_key *key,
					  const struct packet *packet)
{
	__u64 place;
	__u32 index;

	if (slot_find(key, &index, &place))
		slot_drop(index, drop, packet);
}

/* Counts a dropped packet in its flow; returns 0. */
__noinline int drop_count_in_flow(const struct drop *drop, const struct weir_flow_key *key,
				  const struct packet *packet)
{
	if (!drop || !key || !packet)
		return 0;
	if ((drop->kind & WEIR_DROP_CLASS) == WEIR_DROP_DECISION)
		count_denied(drop, key, packet);
	else
		count_failure(drop, key, packet);
	return 0;
}

/* Counts a dropped packet by interface and reason; false if the interface is not watched for drops. */
static __always_inline bool drop_count_reason(const struct drop *drop, enum packet_kind kind,
					      const struct packet *packet)
{
	struct weir_drop_interface *interface =
		bpf_map_lookup_elem(&drop_interfaces, &drop->position);
	__u32 index = drop->position * drop_config.reasons + drop->reason;
	__u64 packets = 1;
	__u64 *count;

	if (!interface || interface->ifindex != drop->ifindex)
		return false;
	if (kind == PACKET_IP)
		packets = packet->wire.packets;
	count = bpf_map_lookup_elem(&drop_counts, &index);
	if (count)
		__sync_fetch_and_add(count, packets);
	if (kind == PACKET_UNPARSED)
		__sync_fetch_and_add(&interface->unparsed, 1);
	return true;
}

#endif
