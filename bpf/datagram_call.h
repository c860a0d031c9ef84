/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Hands the first packets of flows of UDP on to the programs that read whose sockets have sent them
 * (datagrams.bpf.c), after they were counted. Where processes are not collected, neither this code nor
 * its map exists.
 */
#ifndef WEIR_DATAGRAM_CALL_H
#define WEIR_DATAGRAM_CALL_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "map.h"

/* Written by the agent before it loads the programs. */
const volatile __u32 datagrams_are_on = 0;

/* By direction; empty where the kernel refuses the programs, or no agent reads what they report. */
PROGRAM_MAP(datagram_programs, WEIR_DIRECTIONS);

/* Does not return if there is a program. */
static __always_inline void hand_on_datagram(struct __sk_buff *skb, bool is_first, int direction)
{
	if (datagrams_are_on && UNLIKELY(is_first))
		bpf_tail_call(skb, &datagram_programs, direction);
}

#endif
