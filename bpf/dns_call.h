/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Hands packets with DNS messages on to the programs that count and copy them (dns.bpf.c). Where
 * DNS is not collected, neither this code nor its map exists.
 */
#ifndef WEIR_DNS_CALL_H
#define WEIR_DNS_CALL_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "kernel.h"
#include "map.h"

#ifdef HANDS_ON_DNS

/* Written by the agent before it loads the programs. */
const volatile __u32 dns_is_on = 0;

/* By direction; empty where the kernel refuses the programs, or no agent reads what they copy. */
PROGRAM_MAP(dns_programs, WEIR_DIRECTIONS);

static __always_inline bool is_dns(__u32 ports)
{
	return (__u16)ports == bpf_htons(WEIR_DNS_PORT) || ports >> 16 == bpf_htons(WEIR_DNS_PORT);
}

/*
 * Does not return if the packet has a DNS port and there is a program for it: that one counts the
 * packet, too. Returns true if there is none; the verifier then takes all that is known of the packet's
 * bytes for outdated.
 */
static __always_inline bool hand_on_dns(struct __sk_buff *skb, __u32 ports, int direction)
{
	if (!dns_is_on || LIKELY(!is_dns(ports)))
		return false;
	bpf_tail_call(skb, &dns_programs, direction);
	return true;
}

#else

static __always_inline bool hand_on_dns(struct __sk_buff *skb, __u32 ports, int direction)
{
	(void)skb;
	(void)ports;
	(void)direction;
	return false;
}

#endif

#endif
