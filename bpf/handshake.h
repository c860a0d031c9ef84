/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Times TCP handshakes: the time of the first packet of a flow, and the times from there to the answer
 * and to the packet that completes the handshake. All three are taken where a flow gets a new mark,
 * so that packets of an established connection cost nothing more.
 */
#ifndef WEIR_HANDSHAKE_H
#define WEIR_HANDSHAKE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "kernel.h"
#include "map.h"

/* The agent sets the number of slots, where handshakes are timed. */
SHARED_ARRAY_MAP(handshakes, struct weir_handshake, 1);

/* A bit for each. */
SHARED_ARRAY_MAP(handshaken, __u64, 1);

#define HANDSHAKE_OPENED (WEIR_MARK_OPENED_INGRESS | WEIR_MARK_OPENED_EGRESS)
#define HANDSHAKE_RST 0x04U
#define HANDSHAKE_ACK 0x10U
#define HANDSHAKE_UNIT 1000 /* ns */

static __always_inline struct weir_handshake *handshake_at(__u32 index)
{
	index &= config.slot_mask;
	return bpf_map_lookup_elem(&handshakes, &index);
}

/* Begins the times of a slot that is being claimed: nothing else reads it yet. */
static __always_inline void handshake_begin(__u32 index, __u32 marks)
{
	struct weir_handshake *times;

	if (!config.handshakes)
		return;
	times = handshake_at(index);
	if (!times)
		return;
	times->opened = marks & HANDSHAKE_OPENED ? bpf_ktime_get_ns() : 0;
	times->accepted = 0;
	times->completed = 0;
}

static __always_inline void handshake_mark(__u32 index)
{
	__u32 position = (index & config.slot_mask) >> WEIR_OCCUPIED_SHIFT;
	__u64 *word = bpf_map_lookup_elem(&handshaken, &position);

	if (word)
		__sync_fetch_and_or(word, 1ULL << (index & ((1U << WEIR_OCCUPIED_SHIFT) - 1)));
}

/* Times a packet with marks that are new to the flow. had: the marks before. Returns 0. */
__noinline int handshake_continue(__u32 index, __u32 had, __u32 marks)
{
	struct weir_handshake *times = handshake_at(index);
	int opener = had & WEIR_MARK_OPENED_INGRESS ? WEIR_INGRESS : WEIR_EGRESS;
	__u32 accepting =
		opener == WEIR_INGRESS ? WEIR_MARK_ACCEPTED_EGRESS : WEIR_MARK_ACCEPTED_INGRESS;
	__u32 flags = (marks & ~had) >> WEIR_MARK_TCP_FLAGS(opener);
	__u64 passed;

	if (!times || !times->opened || times->completed || !(had & HANDSHAKE_OPENED))
		return 0;
	/* At least one, because 0 means: not yet. */
	passed = (bpf_ktime_get_ns() - times->opened) / HANDSHAKE_UNIT + 1;
	if (passed > 0xffffffff)
		return 0;
	if (!times->accepted) {
		if (marks & ~had & accepting)
			times->accepted = passed;
		return 0;
	}
	if ((flags & (HANDSHAKE_ACK | HANDSHAKE_RST)) != HANDSHAKE_ACK)
		return 0;
	times->completed = passed;
	handshake_mark(index);
	return 0;
}

#endif
