/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The flow table: open addressing in an array that the agent maps into its memory. A packet of
 * a known flow costs a hash, a compare and two atomic additions; no map API, no lock.
 */
#ifndef WEIR_TABLE_H
#define WEIR_TABLE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "kernel.h"

const volatile struct weir_config config = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_MIN_SLOTS); /* the agent sets the number of slots */
	__type(key, __u32);
	__type(value, struct weir_flow_slot);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_MIN_SLOTS >> WEIR_OCCUPIED_SHIFT); /* the agent sets it */
	__type(key, __u32);
	__type(value, __u64);
} occupied SEC(".maps");

/* The first word of a slot holds the interface and the state: one compare for both. */
static __always_inline __u64 slot_head(const struct weir_flow_key *key, __u64 state)
{
	return state << 32 | key->ifindex;
}

static __always_inline bool slot_matches(struct weir_flow_slot *slot,
					 const struct weir_flow_key *key)
{
	const volatile __u64 *have = (const volatile __u64 *)slot;
	const __u64 *want = (const __u64 *)key;

	return have[0] == slot_head(key, WEIR_SLOT_LIVE) && have[5] == want[5] &&
	       have[4] == want[4] && have[2] == want[2] && have[1] == want[1] && have[3] == want[3];
}

/* Makes a free slot the key's; false if another CPU was faster. */
static __always_inline bool slot_claim(struct weir_flow_slot *slot, const struct weir_flow_key *key,
				       __u32 marks)
{
	const __u64 *from = (const __u64 *)key;
	__u64 *to = (__u64 *)slot;

	if (__sync_val_compare_and_swap(&slot->state, WEIR_SLOT_FREE, WEIR_SLOT_CLAIMED) !=
	    WEIR_SLOT_FREE)
		return false;
	UNROLLED
	for (int i = 1; i < WEIR_KEY_WORDS; i++)
		to[i] = from[i];
	slot->born = bpf_ktime_get_ns();
	slot->marks = marks;
	/* An exchange, because it orders the stores above before it on every architecture. */
	__sync_lock_test_and_set(to, slot_head(key, WEIR_SLOT_LIVE));
	return true;
}

static __always_inline void slot_mark_occupied(__u32 index)
{
	__u32 position = (index & config.slot_mask) >> WEIR_OCCUPIED_SHIFT;
	__u64 *word = bpf_map_lookup_elem(&occupied, &position);

	if (word)
		__sync_fetch_and_or(word, 1ULL << (index & ((1U << WEIR_OCCUPIED_SHIFT) - 1)));
}

static __always_inline struct weir_flow_slot *slot_at(__u32 index)
{
	index &= config.slot_mask;
	return bpf_map_lookup_elem(&flows, &index);
}

static __always_inline void slot_add(struct weir_flow_slot *slot, const struct weir_pair *wire,
				     __u32 marks, int direction)
{
	__sync_fetch_and_add(&slot->bytes[direction], wire->bytes);
	__sync_fetch_and_add(&slot->packets[direction], (__u32)wire->packets);
	if ((*(volatile __u32 *)&slot->marks & marks) != marks)
		__sync_fetch_and_or(&slot->marks, marks);
}

/* The flow's slot if it has one; else free is the first free place of its window. */
static __always_inline struct weir_flow_slot *slot_find(const struct weir_flow_key *key, __u32 home,
							__u32 *index, __u32 *free)
{
	UNROLLED
	for (__u32 i = 0; i < WEIR_WINDOW; i++) {
		struct weir_flow_slot *slot = slot_at(home + i);

		if (!slot)
			return NULL;
		if (slot_matches(slot, key)) {
			*index = home + i;
			return slot;
		}
		if (*free == WEIR_WINDOW && *(volatile __u32 *)&slot->state == WEIR_SLOT_FREE)
			*free = i;
	}
	return NULL;
}

/*
 * A new slot for a flow that has none; NULL if its window is full of others. The window is
 * searched whole before, because a slot may have become free before the flow's own. Two CPUs that
 * claim two slots for one flow do no harm: the agent merges them.
 */
static __always_inline struct weir_flow_slot *
slot_claim_first(const struct weir_flow_key *key, __u32 home, __u32 free, __u32 marks, __u32 *index)
{
	UNROLLED
	for (__u32 i = 0; i < WEIR_WINDOW; i++) {
		struct weir_flow_slot *slot;

		if (i < free)
			continue;
		slot = slot_at(home + i);
		if (!slot)
			return NULL;
		if (slot_claim(slot, key, marks)) {
			slot_mark_occupied(home + i);
			*index = home + i;
			return slot;
		}
	}
	return NULL;
}

/* Adds a packet to its flow; false if the window of the flow is full of others. */
static __always_inline bool table_add(const struct weir_flow_key *key, const struct weir_pair *wire,
				      __u32 marks, int direction)
{
	__u32 home = weir_home_slot(&config, (const __u64 *)key);
	__u32 free = WEIR_WINDOW;
	__u32 index = 0;
	struct weir_flow_slot *slot = slot_find(key, home, &index, &free);

	if (!slot)
		slot = slot_claim_first(key, home, free,
					direction == WEIR_EGRESS ? WEIR_MARK_FIRST_EGRESS : 0,
					&index);
	if (!slot)
		return false;
	slot_add(slot, wire, marks, direction);
	return true;
}

#endif
