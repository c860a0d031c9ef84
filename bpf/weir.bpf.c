// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The flow counter: what every packet that crosses an interface adds to.
 *
 * Attached to the ingress and the egress of each watched interface, with TCX or clsact.
 *
 *   1. Find the interface in the interface table; its account is counted whatever comes next.
 *   2. Parse the packet (packet.h) to addresses, ports, protocol, wire packets and wire bytes.
 *   3. Add to the flow's slot in the flow table (table.h), claiming one for a new flow.
 *   4. No free slot in the flow's window: send the packet's key and size through the overflow
 *      ring. Ring full: count it as lost.
 *
 * It writes maps only. No packet is changed, delayed or dropped: the programs always say "next".
 */
#include "account.h"

#define VERDICT_NEXT (-1) /* TCX_NEXT, TC_ACT_UNSPEC */

SEC("tc")
int weir_ingress(struct __sk_buff *skb)
{
	count_skb(skb, WEIR_INGRESS);
	return VERDICT_NEXT;
}

SEC("tc")
int weir_egress(struct __sk_buff *skb)
{
	count_skb(skb, WEIR_EGRESS);
	return VERDICT_NEXT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
