/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The use of the flow table and of the overflow ring by each interface, and its limits: a
 * flood on one interface must not take the room of the others. They are read for new flows and for
 * packets without a slot only.
 */
#ifndef WEIR_SHARES_H
#define WEIR_SHARES_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "kernel.h"
#include "map.h"

const volatile struct weir_config config = {};

SHARED_ARRAY_MAP(interfaces, struct weir_interface, WEIR_MAX_INTERFACES);

SHARED_ARRAY_MAP(table_use, struct weir_table_use, 1);

static __always_inline struct weir_interface *interface_at(__u32 position)
{
	return bpf_map_lookup_elem(&interfaces, &position);
}

static __always_inline struct weir_table_use *table_use_now(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&table_use, &first);
}

/*
 * Whether the interface may have one more slot. The slot is counted after it was claimed, so CPUs
 * that claim at the same time may exceed the limit by one each.
 */
static __always_inline bool share_has_slot(const volatile struct weir_interface *interface,
					   const volatile struct weir_table_use *use)
{
	return interface->slots < interface->slots_share || use->slots < config.slot_limit;
}

static __always_inline void share_take_slot(struct weir_interface *interface,
					    struct weir_table_use *use)
{
	__sync_fetch_and_add(&interface->slots, 1);
	__sync_fetch_and_add(&use->slots, 1);
}

/* Whether the interface may put one more record into the ring, which holds so many bytes. */
static __always_inline bool share_has_ring(const volatile struct weir_interface *interface,
					   __u64 bytes)
{
	return interface->ring < interface->ring_share || bytes < config.ring_limit;
}

static __always_inline void pair_add_atomic(struct weir_pair *pair, __u64 packets, __u64 bytes)
{
	__sync_fetch_and_add(&pair->packets, packets);
	__sync_fetch_and_add(&pair->bytes, bytes);
}

#endif
