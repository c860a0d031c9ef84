/*
 * The agent's side of the memory that it shares with the programs: atomic accesses that Swift
 * cannot express. weir_abi.h has the layout and the life of a slot.
 */
#ifndef WEIR_SLOTS_H
#define WEIR_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "weir_abi.h"

/* ---- Counters --------------------------------------------------------------------------- */

/* Reads a counter that a program writes at the same time. */
static inline uint64_t weir_load_u64(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The same for a counter of 32 bits. */
static inline uint32_t weir_load_u32(const __u32 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* ---- Slots ------------------------------------------------------------------------------ */

/* Loads the head of a slot: ports, protocol, state, interface. */
static inline uint64_t weir_slot_head(const struct weir_flow_slot *slot)
{
	return __atomic_load_n((const uint64_t *)slot, __ATOMIC_ACQUIRE);
}

/* The state in a head. */
static inline uint8_t weir_head_state(uint64_t head)
{
	return (uint8_t)(head >> WEIR_HEAD_STATE_SHIFT);
}

/* Whether programs add to the slot with this head. */
static inline bool weir_head_is_live(uint64_t head)
{
	return (weir_head_state(head) & ~1) == WEIR_SLOT_LIVE_V4;
}

/* Whether the slot with this head is retired. */
static inline bool weir_head_is_retired(uint64_t head)
{
	return (weir_head_state(head) & ~1) == WEIR_SLOT_RETIRED_V4;
}

/* The position of the interface in a head. */
static inline uint16_t weir_head_interface(uint64_t head)
{
	return (uint16_t)(head >> 48);
}

/* Prefetches the parts of a slot that a scan reads. */
static inline void weir_slot_prefetch(const struct weir_flow_slot *slot,
				      const struct weir_flow_taken *taken)
{
	__builtin_prefetch(slot, 0);
	__builtin_prefetch(taken, 1);
}

/* Takes a live slot out of use; programs that started earlier may still add to it. */
static inline void weir_slot_retire(struct weir_flow_slot *slot)
{
	__atomic_fetch_or(&slot->state, WEIR_SLOT_RETIRED, __ATOMIC_RELEASE);
}

/* Takes a retired slot into use again. */
static inline void weir_slot_revive(struct weir_flow_slot *slot)
{
	__atomic_fetch_and(&slot->state, (__u8)~WEIR_SLOT_RETIRED, __ATOMIC_RELEASE);
}

/* Makes a tombstone free if the slot behind it is free; returns whether it did. */
static inline bool weir_slot_clear_tombstone(struct weir_flow_slot *slot,
					     const struct weir_flow_slot *next)
{
	uint64_t tombstone = (uint64_t)WEIR_SLOT_TOMBSTONE << WEIR_HEAD_STATE_SHIFT;

	return weir_slot_head(slot) == tombstone && weir_slot_head(next) == 0 &&
	       __atomic_compare_exchange_n((uint64_t *)slot, &tombstone, 0, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/*
 * Makes a free slot a tombstone, so that a search does not end there: where a program and the
 * agent raced, a flow may lie behind a free slot.
 */
static inline void weir_slot_bridge(struct weir_flow_slot *slot)
{
	uint64_t free = 0;

	__atomic_compare_exchange_n((uint64_t *)slot, &free,
				    (uint64_t)WEIR_SLOT_TOMBSTONE << WEIR_HEAD_STATE_SHIFT, false,
				    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/*
 * Zeroes a retired slot, which next lies behind, and gives it back; after a grace period only. The
 * bit goes first: once the slot is free a program may claim it and set the bit anew.
 */
static inline void weir_slot_free(struct weir_flow_slot *slot, struct weir_flow_rest *rest,
				  struct weir_flow_taken *taken, const struct weir_flow_slot *next,
				  __u64 *word, uint64_t bit)
{
	uint64_t head =
		weir_slot_head(next) ? (uint64_t)WEIR_SLOT_TOMBSTONE << WEIR_HEAD_STATE_SHIFT : 0;

	__atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);
	__builtin_memset((char *)slot + sizeof(head), 0, sizeof(*slot) - sizeof(head));
	__builtin_memset(rest, 0, sizeof(*rest));
	__builtin_memset(taken, 0, sizeof(*taken));
	__atomic_store_n((uint64_t *)slot, head, __ATOMIC_RELEASE);
}

/* The home slot of a slot's key, live or retired; see weir_home_slot. */
static inline uint32_t weir_slot_home(const struct weir_flow_slot *slot,
				      const struct weir_config *config)
{
	__u64 word[WEIR_KEY_WORDS];

	__builtin_memcpy(word, slot, sizeof(word));
	word[WEIR_KEY_WORD_HEAD] &= ~((__u64)WEIR_SLOT_RETIRED << WEIR_HEAD_STATE_SHIFT);
	return weir_home_slot(config, word);
}

/* Whether two slots hold the same key. */
static inline bool weir_slot_same_key(const struct weir_flow_slot *left,
				      const struct weir_flow_slot *right)
{
	return __builtin_memcmp(left, right, sizeof(struct weir_flow_key)) == 0;
}

/* Adds marks of a slot's flow, as the programs do; also WEIR_MARK_EARLY. */
static inline void weir_slot_add_marks(struct weir_flow_slot *slot, uint32_t marks)
{
	__atomic_fetch_or(&slot->marks, marks & (WEIR_MARKS | WEIR_MARK_EARLY), __ATOMIC_RELAXED);
}

/* The time when a slot was claimed, CLOCK_MONOTONIC ns, to 17 ms; at most 36 minutes before now. */
static inline uint64_t weir_slot_born(const struct weir_flow_slot *slot, uint64_t now)
{
	const uint32_t mask = (1U << (WEIR_BIRTH_LOW_BITS + WEIR_BIRTH_HIGH_BITS)) - 1;
	uint32_t birth = slot->marks >> WEIR_BIRTH_MARKS_SHIFT << WEIR_BIRTH_LOW_BITS |
			 slot->owner >> WEIR_BIRTH_OWNER_SHIFT;
	uint64_t units = now >> WEIR_BIRTH_UNIT_SHIFT;

	return (units - ((units - birth) & mask)) << WEIR_BIRTH_UNIT_SHIFT;
}

/* ---- What a flow has counted ------------------------------------------------------------ */

/* The counts of a flow, both lines together. */
struct weir_counts {
	uint64_t bytes[WEIR_DIRECTIONS];
	uint32_t packets[WEIR_DIRECTIONS];
};

/* The number of times that a reader that meets a spill reads again. */
#ifndef WEIR_SLOT_READS
#define WEIR_SLOT_READS 64
#endif

/* Reads the lane and the rest of one direction, as of one moment between two spills. */
static inline bool weir_slot_read_both(const struct weir_flow_slot *slot,
				       const struct weir_flow_rest *rest, int direction,
				       struct weir_counts *counts)
{
	for (int attempt = 0; attempt < WEIR_SLOT_READS; attempt++) {
		uint32_t spills = __atomic_load_n(&rest->spills[direction], __ATOMIC_ACQUIRE);
		uint64_t lane = __atomic_load_n(&slot->lane[direction], __ATOMIC_ACQUIRE);
		uint64_t bytes = __atomic_load_n(&rest->bytes[direction], __ATOMIC_ACQUIRE);
		uint32_t packets = __atomic_load_n(&rest->packets[direction], __ATOMIC_ACQUIRE);

		if (spills & 1 ||
		    __atomic_load_n(&rest->spills[direction], __ATOMIC_RELAXED) != spills)
			continue;
		counts->bytes[direction] = bytes + (lane & WEIR_LANE_BYTES);
		counts->packets[direction] = packets + (uint32_t)(lane >> WEIR_LANE_BYTES_BITS);
		return true;
	}
	return false;
}

/*
 * Reads the counts of a flow; false if a spill takes too long, or if rest is NULL and is needed: then
 * the next scan reads them. The marks are read after the lanes: before a lane is moved, its mark is
 * set.
 */
static inline bool weir_slot_read(const struct weir_flow_slot *slot,
				  const struct weir_flow_rest *rest, struct weir_counts *counts)
{
	uint64_t ingress = __atomic_load_n(&slot->lane[WEIR_INGRESS], __ATOMIC_ACQUIRE);
	uint64_t egress = __atomic_load_n(&slot->lane[WEIR_EGRESS], __ATOMIC_ACQUIRE);

	if (__atomic_load_n(&slot->marks, __ATOMIC_RELAXED) & WEIR_MARK_SHARED)
		return rest && weir_slot_read_both(slot, rest, WEIR_INGRESS, counts) &&
		       weir_slot_read_both(slot, rest, WEIR_EGRESS, counts);
	counts->bytes[WEIR_INGRESS] = ingress & WEIR_LANE_BYTES;
	counts->bytes[WEIR_EGRESS] = egress & WEIR_LANE_BYTES;
	counts->packets[WEIR_INGRESS] = (uint32_t)(ingress >> WEIR_LANE_BYTES_BITS);
	counts->packets[WEIR_EGRESS] = (uint32_t)(egress >> WEIR_LANE_BYTES_BITS);
	return true;
}

/* ---- Owners ----------------------------------------------------------------------------- */

/* Replaces the owner of a direction's lane; false if it is another one than expected. */
static inline bool weir_slot_change_owner(struct weir_flow_slot *slot, int direction, uint32_t from,
					  uint32_t to)
{
	const int shift = WEIR_OWNER_BITS * direction;
	uint32_t word = __atomic_load_n(&slot->owner, __ATOMIC_RELAXED);

	while ((word >> shift & WEIR_OWNER_MASK) == from) {
		uint32_t changed = (word & ~((uint32_t)WEIR_OWNER_MASK << shift)) | to << shift;

		if (__atomic_compare_exchange_n(&slot->owner, &word, changed, false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* The owner of a direction's lane: WEIR_OWNER_*, or the number of a CPU + 1. */
static inline uint32_t weir_slot_owner(const struct weir_flow_slot *slot, int direction)
{
	return __atomic_load_n(&slot->owner, __ATOMIC_RELAXED) >> (WEIR_OWNER_BITS * direction) &
	       WEIR_OWNER_MASK;
}

/* ---- Interfaces ------------------------------------------------------------------------- */

/* Publishes an account's interface: programs see link_header before ifindex. */
static inline void weir_account_publish(struct weir_account *account, uint32_t ifindex)
{
	__atomic_store_n(&account->ifindex, ifindex, __ATOMIC_RELEASE);
}

/* Counts a slot of the interface, as a program does that claims one. */
static inline void weir_share_take_slot(struct weir_interface *interface,
					struct weir_table_use *use)
{
	__atomic_fetch_add(&interface->slots, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&use->slots, 1, __ATOMIC_RELAXED);
}

/* Returns a slot of the interface. */
static inline void weir_share_return_slot(struct weir_interface *interface,
					  struct weir_table_use *use)
{
	__atomic_fetch_sub(&interface->slots, 1, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&use->slots, 1, __ATOMIC_RELAXED);
}

/* Returns the share of a record that was taken out of the ring. */
static inline void weir_share_return_ring(struct weir_interface *interface)
{
	__atomic_fetch_sub(&interface->ring, 1, __ATOMIC_RELAXED);
}

/* Sets how many slots and records of the ring an interface may always hold. */
static inline void weir_share_set(struct weir_interface *interface, uint32_t slots, uint32_t ring)
{
	__atomic_store_n(&interface->slots_share, slots, __ATOMIC_RELAXED);
	__atomic_store_n(&interface->ring_share, ring, __ATOMIC_RELAXED);
}

#endif
