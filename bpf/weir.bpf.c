// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The flow counter, to which every packet that crosses an interface is added.
 *
 * Attached to the ingress and the egress of each watched interface, with TCX or clsact. Packets that
 * the kernel drops are counted beside it, by one program for all interfaces (drop.h).
 *
 *   1. Find the interface in the interface table; its account is counted in any case.
 *   2. Parse the packet (packet.h) to addresses, ports, protocol, wire packets and wire bytes.
 *   3. Add to the flow's slot in the flow table (table.h), claiming one for a new flow.
 *   4. No free slot in the flow's window, or the interface's share used up: send the packet's key
 *      and size through the overflow ring. No room there: count it in the interface's remainder.
 *
 * It writes maps only. No packet is changed, delayed or dropped: the programs always return "next".
 */
#define HANDS_ON_DNS
#include "account.h"
#include "datagram_call.h"
#include "drop.h"

#define VERDICT_NEXT (-1) /* TCX_NEXT, TC_ACT_UNSPEC */

SEC("tc")
int weir_ingress(struct __sk_buff *skb)
{
	hand_on_datagram(skb, count_skb(skb, WEIR_INGRESS), WEIR_INGRESS);
	return VERDICT_NEXT;
}

SEC("tc")
int weir_egress(struct __sk_buff *skb)
{
	hand_on_datagram(skb, count_skb(skb, WEIR_EGRESS), WEIR_EGRESS);
	return VERDICT_NEXT;
}

/* Arguments: skb, location, reason, and in newer kernels the socket. */
SEC("tp_btf/kfree_skb")
int weir_drop(__u64 *arguments)
{
	count_drop((struct sk_buff *)arguments[0], arguments[1], arguments[2]);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
