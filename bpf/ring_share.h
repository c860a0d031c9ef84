/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The share of a ring that one interface may use.
 */
#ifndef WEIR_RING_SHARE_H
#define WEIR_RING_SHARE_H

#include <stdbool.h>

#include "weir_abi.h"

/* Whether the interface may use `size` more bytes of a ring, of which `waiting` are in use. */
static __always_inline bool has_room(const volatile struct weir_ring_share *share, __u32 size,
				     __u64 waiting, __u32 ring)
{
	__u32 wanted = share->bytes + size;

	return wanted <= share->share || (waiting < ring / 2 && wanted <= ring / 4);
}

#endif
