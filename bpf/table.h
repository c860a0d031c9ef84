/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The flow table: open addressing in arrays that the agent maps into its memory. A packet of a
 * known flow costs a hash, a compare and a plain addition, all in one cache line; no map API, no
 * lock. weir_abi.h has the layout and the life of a slot.
 */
#ifndef WEIR_TABLE_H
#define WEIR_TABLE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "handshake.h"
#include "kernel.h"
#include "map.h"
#include "shares.h"

/* The agent sets the number of slots. */
SHARED_ARRAY_MAP(flows, struct weir_flow_slot, WEIR_MIN_SLOTS);

/* The agent sets the number of slots. */
SHARED_ARRAY_MAP(flow_rest, struct weir_flow_rest, WEIR_MIN_SLOTS);

/* A bit for each slot. The agent sets the size. */
SHARED_ARRAY_MAP(occupied, __u64, WEIR_MIN_SLOTS >> WEIR_OCCUPIED_SHIFT);

#define TABLE_FULL (-1)
#define HEAD_OF_STATE(state) ((__u64)(state) << WEIR_HEAD_STATE_SHIFT)

/* Uses the result of an atomic operation: only then is it ordered after what came before. */
#define ORDERED(result) asm volatile("" ::"r"(result))

static __always_inline struct weir_flow_slot *slot_at(__u32 index)
{
	index &= config.slot_mask;
	return bpf_map_lookup_elem(&flows, &index);
}

static __always_inline struct weir_flow_rest *rest_at(__u32 index)
{
	index &= config.slot_mask;
	return bpf_map_lookup_elem(&flow_rest, &index);
}

static __always_inline void slot_mark_occupied(__u32 index)
{
	__u32 position = (index & config.slot_mask) >> WEIR_OCCUPIED_SHIFT;
	__u64 *word = bpf_map_lookup_elem(&occupied, &position);

	if (word)
		__sync_fetch_and_or(word, 1ULL << (index & ((1U << WEIR_OCCUPIED_SHIFT) - 1)));
}

/* ---- Counts ----------------------------------------------------------------------------- */

static __always_inline __u64 lane_of(const struct weir_pair *wire)
{
	return wire->packets << WEIR_LANE_BYTES_BITS | wire->bytes;
}

/* The number of this CPU as an owner; WEIR_OWNER_NONE if it may own nothing. */
static __always_inline __u32 owner_number(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return config.is_preemptible || cpu >= WEIR_OWNER_CPUS ? WEIR_OWNER_NONE : cpu + 1;
}

/*
 * Adds as a CPU that does not own the lane; the flow must get WEIR_MARK_SHARED. Whether nothing was
 * added in the direction before.
 */
static __always_inline bool rest_add(__u32 index, const struct weir_pair *wire, int direction)
{
	struct weir_flow_rest *rest = rest_at(index);
	bool is_first;

	if (!rest)
		return false;
	is_first = !*(volatile __u32 *)&rest->packets[direction];
	__sync_fetch_and_add(&rest->bytes[direction], wire->bytes);
	__sync_fetch_and_add(&rest->packets[direction], (__u32)wire->packets);
	return is_first;
}

/*
 * Moves a lane to where there is more room; its owner only. A reader that sees the lane without
 * what it held sees the mark, and then the sequence.
 */
__noinline int lane_spill(__u32 index, __u32 direction)
{
	struct weir_flow_slot *slot = slot_at(index);
	struct weir_flow_rest *rest = rest_at(index);
	volatile __u64 *lane;
	struct weir_pair wire;

	direction &= 1; /* for the verifier */
	if (!slot || !rest)
		return 0;
	lane = &slot->lane[direction];
	wire.packets = *lane >> WEIR_LANE_BYTES_BITS;
	wire.bytes = *lane & WEIR_LANE_BYTES;
	ORDERED(__sync_fetch_and_or(&slot->marks, WEIR_MARK_SHARED));
	ORDERED(__sync_fetch_and_add(&rest->spills[direction], 1));
	__sync_fetch_and_add(&rest->bytes[direction], wire.bytes);
	__sync_fetch_and_add(&rest->packets[direction], (__u32)wire.packets);
	*lane = 0;
	ORDERED(__sync_fetch_and_add(&rest->spills[direction], 1));
	return 0;
}

/*
 * Adds a packet to a flow; whether it is one of the first in its direction. A packet's own bytes are
 * less than what makes a lane spill.
 */
static __always_inline bool slot_add(struct weir_flow_slot *slot, __u32 index,
				     const struct weir_pair *wire, __u32 marks, int direction)
{
	__u32 word = *(volatile __u32 *)&slot->owner;
	__u32 shift = WEIR_OWNER_BITS * direction;
	__u32 owner = word >> shift & WEIR_OWNER_MASK;
	__u32 self = owner_number();
	bool is_first = false;

	if (owner == WEIR_OWNER_NONE && self &&
	    __sync_val_compare_and_swap(&slot->owner, word, word | self << shift) == word) {
		owner = self;
		is_first = true;
	}
	if (owner && owner == self) {
		volatile __u64 *lane = &slot->lane[direction];
		__u64 sum = *lane + lane_of(wire);

		*lane = sum;
		if (sum & WEIR_LANE_SPILLS)
			lane_spill(index, direction);
	} else {
		is_first = rest_add(index, wire, direction) && owner == WEIR_OWNER_NONE;
		marks |= WEIR_MARK_SHARED;
	}
	if ((*(volatile __u32 *)&slot->marks & marks) != marks) {
		__u32 had = __sync_fetch_and_or(&slot->marks, marks);

		ORDERED(had);
		if (config.handshakes)
			handshake_continue(index, had, marks);
	}
	return is_first;
}

/* ---- Search ----------------------------------------------------------------------------- */

static __always_inline bool is_key_v4(const struct weir_flow_key *key)
{
	return key->state == WEIR_SLOT_LIVE_V4;
}

static __always_inline bool slot_matches(const volatile __u64 *have,
					 const struct weir_flow_key *key)
{
	const __u64 *want = (const __u64 *)key;

	if (have[WEIR_KEY_WORD_V4] != want[WEIR_KEY_WORD_V4])
		return false;
	return is_key_v4(key) || (have[1] == want[1] && have[3] == want[3] && have[4] == want[4]);
}

/*
 * The place of a flow's slot: the home slot in the low half, and in the high half one bit
 * for each place of the window that can be claimed: tombstones, and the free slot that ended the
 * search.
 */
#define PLACE_HOME(place) ((__u32)(place))
#define PLACE_CLAIMABLE(place) ((__u32)((place) >> 32))
#define PLACE_BIT(i) (1ULL << (32 + (i)))

/* The flow's slot, and its index, if it has one; else place is where it may get one. */
static __always_inline struct weir_flow_slot *slot_find(const struct weir_flow_key *key,
							__u32 *index, __u64 *place)
{
	const __u64 want = *(const __u64 *)key;
	__u32 home = weir_home_slot(&config, (const __u64 *)key);

	*place = home;
	UNROLLED
	for (__u32 i = 0; i < WEIR_WINDOW; i++) {
		struct weir_flow_slot *slot = slot_at(home + i);
		__u64 head;

		if (!slot)
			return NULL;
		head = *(volatile __u64 *)slot;
		if (head == want && slot_matches((const volatile __u64 *)slot, key)) {
			*index = home + i;
			return slot;
		}
		if (head == HEAD_OF_STATE(WEIR_SLOT_TOMBSTONE))
			*place |= PLACE_BIT(i);
		if (!head) {
			*place |= PLACE_BIT(i);
			return NULL;
		}
	}
	return NULL;
}

/* ---- Claim ------------------------------------------------------------------------------ */

/* Claims a slot, if it is free, by its word of protocol, state and interface. */
static __always_inline bool slot_try_claim(struct weir_flow_slot *slot)
{
	__u32 *word = (__u32 *)slot + 1;
	__u32 have = *(volatile __u32 *)word;
	const __u32 shift = WEIR_HEAD_STATE_SHIFT - 32;

	if (have && have != (__u32)WEIR_SLOT_TOMBSTONE << shift)
		return false;
	return __sync_val_compare_and_swap(word, have, (__u32)WEIR_SLOT_CLAIMED << shift) == have;
}

/* Writes all of a claimed slot, the head last. */
static __always_inline void slot_publish(struct weir_flow_slot *slot, __u32 index,
					 const struct weir_flow_key *key, __u32 marks, __u64 lane,
					 __u32 birth)
{
	int direction = marks & WEIR_MARK_FIRST_EGRESS ? WEIR_EGRESS : WEIR_INGRESS;
	__u32 self = lane ? owner_number() : WEIR_OWNER_NONE;

	if (self) {
		slot->lane[direction] = lane;
	} else if (lane) {
		struct weir_pair wire = {
			.packets = lane >> WEIR_LANE_BYTES_BITS,
			.bytes = lane & WEIR_LANE_BYTES,
		};

		rest_add(index, &wire, direction);
		marks |= WEIR_MARK_SHARED;
	}
	UNROLLED
	for (int i = 0; i < 4; i++)
		slot->addr[i] = key->addr[i];
	slot->marks = marks | birth >> WEIR_BIRTH_LOW_BITS << WEIR_BIRTH_MARKS_SHIFT;
	slot->owner = self << WEIR_OWNER_BITS * direction | birth << WEIR_BIRTH_OWNER_SHIFT;
	/* An exchange, because it orders the stores above before it on every architecture. */
	ORDERED(__sync_lock_test_and_set((__u64 *)slot, *(const __u64 *)key));
}

/*
 * Gives a new flow a slot, and counts lane, its first packet if it has one, in the direction of
 * WEIR_MARK_FIRST_EGRESS. birth is CLOCK_MONOTONIC in units. Returns the slot's index, or TABLE_FULL: the window is full of
 * others, or the interface has used up its share. Two CPUs that claim two slots for one flow do no
 * harm: the agent merges them.
 *
 * A global function, because the verifier then checks it once, and not once for every state in
 * which the search may have ended.
 */
__noinline int table_claim(const struct weir_flow_key *key, __u64 place, __u32 marks, __u64 lane,
			   __u32 birth)
{
	__u32 claimable = PLACE_CLAIMABLE(place);
	struct weir_table_use *use = table_use_now();
	struct weir_flow_slot *slot = NULL;
	struct weir_interface *interface;
	__u32 index = 0;

	if (!key || !use || !claimable)
		return TABLE_FULL;
	interface = interface_at(key->interface);
	if (!interface || !share_has_slot(interface, use))
		return TABLE_FULL;
	/* Behind the first place that was claimable others may have become so meanwhile. */
	UNROLLED
	for (__u32 i = 0; i < WEIR_WINDOW; i++) {
		if (!(claimable & ((2U << i) - 1)))
			continue;
		index = (PLACE_HOME(place) + i) & config.slot_mask;
		slot = slot_at(index);
		if (!slot)
			return TABLE_FULL;
		if (slot_try_claim(slot))
			break;
		slot = NULL;
	}
	if (!slot)
		return TABLE_FULL;
	handshake_begin(index, marks);
	slot_publish(slot, index, key, marks, lane, birth);
	share_take_slot(interface, use);
	slot_mark_occupied(index);
	return index;
}

/* The result for a packet. */
enum table_result {
	TABLE_REFUSED = 0, /* its flow has no slot and gets none */
	TABLE_ADDED = 1,
	TABLE_BEGUN = 2, /* and it is one of the first of the flow in its direction */
};

/*
 * Adds a packet to its flow, and claims a slot for a new flow. place is what table_add_known has found, or 0.
 */
static __always_inline enum table_result table_add(const struct weir_flow_key *key,
						   const struct weir_pair *wire, __u32 marks,
						   int direction, __u64 place)
{
	if (!place) {
		__u32 index;
		struct weir_flow_slot *slot = slot_find(key, &index, &place);

		if (slot)
			return slot_add(slot, index, wire, marks, direction) ? TABLE_BEGUN :
									       TABLE_ADDED;
	}
	if (direction == WEIR_EGRESS)
		marks |= WEIR_MARK_FIRST_EGRESS;
	return table_claim(key, place, marks, lane_of(wire),
			   bpf_ktime_get_coarse_ns() >> WEIR_BIRTH_UNIT_SHIFT) != TABLE_FULL ?
		       TABLE_BEGUN :
		       TABLE_REFUSED;
}

/* ---- Known flows ------------------------------------------------------------------------ */

/*
 * The key of a flow that is not laid out in memory: the head in halves, and for IPv4 the word of the
 * addresses; IPv6 addresses lie where near and far point to.
 */
struct key_view {
	__u32 ports;
	__u32 upper; /* half of the head: protocol, state, interface */
	__u64 v4;
	const void *near;
	const void *far;
};

/* A word of an IPv6 address, read anew wherever it is used: registers are scarce. */
#define ADDRESS_WORD(address, i) (((const volatile __u64 *)(address))[i])
#define ADDRESS_HALF(address, i) (((const volatile __u32 *)(address))[i])

static __always_inline __u64 view_head(const struct key_view *view)
{
	return (__u64)view->upper << 32 | view->ports;
}

static __always_inline void view_copy(const struct key_view *view, bool is_v4,
				      struct weir_flow_key *key)
{
	*(__u64 *)key = view_head(view);
	if (is_v4) {
		key->addr[0] = key->addr[2] = key->addr[3] = 0;
		key->addr[1] = view->v4;
		return;
	}
	key->addr[0] = ADDRESS_WORD(view->near, 0);
	key->addr[1] = ADDRESS_WORD(view->near, 1);
	key->addr[2] = ADDRESS_WORD(view->far, 0);
	key->addr[3] = ADDRESS_WORD(view->far, 1);
}

/* The same as weir_home_slot. */
static __always_inline __u32 view_home(const struct key_view *view, bool is_v4)
{
	const void *near = view->near, *far = view->far;
	__u64 sum = weir_hash_term(&config, WEIR_KEY_WORD_HEAD, view->ports, view->upper);

	if (is_v4) {
		sum += weir_hash_term(&config, WEIR_KEY_WORD_V4, view->v4, view->v4 >> 32);
	} else {
		sum += weir_hash_term(&config, 1, ADDRESS_HALF(near, 0), ADDRESS_HALF(near, 1));
		sum += weir_hash_term(&config, 2, ADDRESS_HALF(near, 2), ADDRESS_HALF(near, 3));
		sum += weir_hash_term(&config, 3, ADDRESS_HALF(far, 0), ADDRESS_HALF(far, 1));
		sum += weir_hash_term(&config, 4, ADDRESS_HALF(far, 2), ADDRESS_HALF(far, 3));
	}
	return weir_hash_home(&config, sum);
}

static __always_inline bool view_matches(const struct key_view *view, bool is_v4,
					 const volatile __u64 *have)
{
	if (have[WEIR_KEY_WORD_HEAD] != view_head(view))
		return false;
	if (is_v4)
		return have[WEIR_KEY_WORD_V4] == view->v4;
	return have[1] == ADDRESS_WORD(view->near, 0) && have[2] == ADDRESS_WORD(view->near, 1) &&
	       have[3] == ADDRESS_WORD(view->far, 0) && have[4] == ADDRESS_WORD(view->far, 1);
}

/*
 * Adds to a lane that this CPU owns; false, and then nothing was done, if another one does, if the
 * lane would spill, or if the packet has a mark that is new to the flow. One load gives marks and
 * owners.
 */
static __always_inline bool slot_add_own(struct weir_flow_slot *slot, __u32 self, __u64 lane,
					 __u32 marks, int direction)
{
	const int shift = 32 + WEIR_OWNER_BITS * direction;
	__u64 have = *(volatile __u64 *)&slot->marks;
	volatile __u64 *sum = &slot->lane[direction];

	if ((have & ((__u64)WEIR_OWNER_MASK << shift | marks)) != ((__u64)self << shift | marks))
		return false;
	lane += *sum;
	if (lane & WEIR_LANE_SPILLS)
		return false;
	*sum = lane;
	return true;
}

/*
 * Adds a packet to a known flow in its first or second place, which nearly all are, if this CPU owns
 * the lane; false: nothing was done, and table_add does it. self: weir_account.owner, not 0. lane:
 * what is added. is_v4 is known where this is inlined.
 *
 * A first place that is free ends the search, as in slot_find: then place is set, else it is
 * unchanged.
 */
static __always_inline bool table_add_known(const struct key_view *view, bool is_v4, __u32 self,
					    __u64 lane, __u32 marks, int direction, __u64 *place)
{
	__u32 home = view_home(view, is_v4);
	struct weir_flow_slot *slot = bpf_map_lookup_elem(&flows, &home);

	if (UNLIKELY(!slot))
		return false;
	if (UNLIKELY(!view_matches(view, is_v4, (const volatile __u64 *)slot))) {
		if (!*(volatile __u64 *)slot) {
			*place = PLACE_BIT(0) | home;
			return false;
		}
		slot = slot_at(home + 1);
		if (!slot || !view_matches(view, is_v4, (const volatile __u64 *)slot))
			return false;
	}
	return slot_add_own(slot, self, lane, marks, direction);
}

#endif
