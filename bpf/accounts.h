/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The interfaces that are watched: the place of each in the interface table.
 */
#ifndef WEIR_ACCOUNTS_H
#define WEIR_ACCOUNTS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "map.h"
#include "shares.h"

/* The agent multiplies by CPUs and directions. */
SHARED_ARRAY_MAP(accounts, struct weir_account, WEIR_MAX_INTERFACES);

/* This CPU's account of the interface at a position. */
static __always_inline struct weir_account *account_at(__u32 position, int direction)
{
	__u32 cpu = bpf_get_smp_processor_id();
	__u32 index = (position * config.cpus + cpu) * WEIR_DIRECTIONS + direction;

	return bpf_map_lookup_elem(&accounts, &index);
}

/* This CPU's account of an interface, and the interface's position; NULL if it is not watched. */
static __always_inline struct weir_account *account_find(__u32 ifindex, int direction,
							 __u32 *position)
{
	__u32 cpu = bpf_get_smp_processor_id();

	UNROLLED
	for (__u32 i = 0; i < WEIR_INTERFACE_WINDOW; i++) {
		__u32 place = (ifindex + i) & (WEIR_MAX_INTERFACES - 1);
		__u32 index = (place * config.cpus + cpu) * WEIR_DIRECTIONS + direction;
		struct weir_account *account = bpf_map_lookup_elem(&accounts, &index);

		if (account && account->ifindex == ifindex) {
			*position = place;
			return account;
		}
	}
	return NULL;
}

#endif
