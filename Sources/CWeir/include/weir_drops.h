/*
 * Draining of the drops that stand beside the flow table.
 */
#ifndef WEIR_DROPS_H
#define WEIR_DROPS_H

#include <stdbool.h>
#include <stdint.h>

#include "weir_abi.h"

/* Clears the bit that a program sets after it has added; earlier additions are visible then. */
static inline void weir_drops_clear(__u64 *word, uint64_t bit)
{
	__atomic_fetch_and(word, ~bit, __ATOMIC_ACQ_REL);
}

/*
 * Moves the counted drops of a slot to memory that only the agent writes, and leaves 0. A packet
 * may be seen in part: the next drain has the rest.
 */
static inline void weir_drops_take(struct weir_drop_slot *slot, struct weir_drop_slot *taken)
{
	for (int lane = 0; lane < WEIR_DROP_LANES; lane++) {
		taken->bytes[lane] = __atomic_exchange_n(&slot->bytes[lane], 0, __ATOMIC_ACQ_REL);
		taken->packets[lane] =
			__atomic_exchange_n(&slot->packets[lane], 0, __ATOMIC_ACQ_REL);
	}
	for (int direction = 0; direction < WEIR_DIRECTIONS; direction++)
		taken->failures[direction] =
			__atomic_exchange_n(&slot->failures[direction], 0, __ATOMIC_ACQ_REL);
	taken->decision = __atomic_load_n(&slot->decision, __ATOMIC_RELAXED);
	taken->failure_reason = __atomic_load_n(&slot->failure_reason, __ATOMIC_RELAXED);
	taken->destination_port = __atomic_exchange_n(&slot->destination_port, 0, __ATOMIC_ACQ_REL);
	taken->destination[0] = __atomic_load_n(&slot->destination[0], __ATOMIC_RELAXED);
	taken->destination[1] = __atomic_load_n(&slot->destination[1], __ATOMIC_RELAXED);
}

/* Whether a slot has no drops that were not drained yet. */
static inline bool weir_drops_are_none(const struct weir_drop_slot *slot)
{
	uint64_t sum = 0;

	for (int lane = 0; lane < WEIR_DROP_LANES; lane++)
		sum |= slot->bytes[lane] | slot->packets[lane];
	for (int direction = 0; direction < WEIR_DIRECTIONS; direction++)
		sum |= slot->failures[direction];
	return sum == 0;
}

/* Sets the interface whose drops are counted at a position of the interface table; 0: none. */
static inline void weir_drops_watch(struct weir_drop_interface *entry, uint32_t ifindex)
{
	__atomic_store_n(&entry->ifindex, ifindex, __ATOMIC_RELEASE);
}

#endif
