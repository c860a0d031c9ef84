/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Upper devices: bridges, bonds, VLANs, macvlans and VRFs, whose packets are counted at the
 * interfaces below them. What the kernel drops behind an upper device carries its index and not
 * that of the lower interface, so the lower one is found here.
 */
#ifndef WEIR_UPPER_H
#define WEIR_UPPER_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "map.h"
#include "table.h"

/* By position of the upper device in the interface table. */
SHARED_ARRAY_MAP(uppers, struct weir_upper, WEIR_MAX_INTERFACES);

/* The agent sets the number of CPUs. */
ARRAY_MAP(last_skb, struct weir_last_skb, 1);

static __always_inline struct weir_last_skb *last_of_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&last_skb, &cpu);
}

/* Notes which packet this CPU counted last on its way to an upper device. */
static __always_inline void remember_skb(struct __sk_buff *skb, __u32 position)
{
	struct weir_last_skb *last = last_of_cpu();

	if (!last)
		return;
	last->skb = (__u64)(unsigned long)skb;
	last->position = position;
}

/*
 * Makes the key that of the interface at a position; returns whether a flow is counted under it.
 * Global, so that the verifier checks it once and not for each interface.
 */
__noinline int key_moves_to(struct weir_flow_key *key, __u32 position)
{
	__u64 place;
	__u32 index;

	if (!key)
		return 0;
	key->interface = position;
	return slot_find(key, &index, &place) ? 1 : 0;
}

/*
 * Finds the lower interface that counts the flow of a packet which was dropped behind an upper
 * device; false if none does, and then the key is as it was. Most packets were counted last on this
 * CPU, in the same run of the stack; the others are looked for.
 */
static __always_inline bool key_descends(struct weir_flow_key *key, const struct weir_upper *upper,
					 bool entered)
{
	__u16 position = key->interface;
	struct weir_last_skb *last = last_of_cpu();

	if (entered && last && last->skb && key_moves_to(key, last->position))
		return true;
	UNROLLED
	for (__u32 i = 0; i < WEIR_MAX_LOWERS; i++) {
		if (i >= upper->lowers)
			break;
		if (key_moves_to(key, upper->lower[i]))
			return true;
	}
	key->interface = position;
	return false;
}

#endif
