/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Counts the packets that the kernel drops: every skb that it frees with a reason, of the network
 * namespace and the interfaces that are watched.
 *
 * A packet that entered through an interface belongs to that interface, however late it was
 * dropped; one that was made on this machine belongs to the interface that it was to leave
 * through.
 */
#ifndef WEIR_DROP_H
#define WEIR_DROP_H

#include "account.h"
#include "drop_count.h"
#include "drop_flow.h"
#include "drop_sent.h"
#include "dropped.h"
#include "kernel.h"

/* The device of the route that the packet was to take. */
static __always_inline struct net_device *route_device(struct sk_buff *skb)
{
	struct dst_entry *route = (void *)(skb->_skb_refdst & ~SKB_DST_NOREF);

	return BPF_CORE_READ(route, dev);
}

/*
 * Finds the interface and the direction; false if the interface is not watched. Interface
 * indices are valid in their own namespace only, and this hook sees all namespaces.
 *
 * skb->dev is NULL while a packet is made and where TCP holds it, and is not a pointer where UDP
 * queues it; an invalid pointer reads as 0. A `reject` of IPv6 on the way out sets it to
 * the loopback device (nf_send_unreach6).
 */
static __always_inline bool drop_attribute(struct sk_buff *skb, struct drop *drop)
{
	__u32 entered = skb->skb_iif;
	bool is_received = entered || drop->kind & WEIR_DROP_BEFORE_INGRESS;
	struct net_device *device = skb->dev;
	struct weir_account *account;
	__u32 ifindex = 0, netns = 0;

	if (device) {
		ifindex = device->ifindex;
		netns = device->nd_net.net->ns.inum;
	}
	if (!device || (!is_received && ifindex == LOOPBACK_IFINDEX)) {
		struct net_device *leaving = route_device(skb);

		ifindex = BPF_CORE_READ(leaving, ifindex);
		netns = BPF_CORE_READ(leaving, nd_net.net, ns.inum);
	}
	if (netns != drop_config.netns)
		return false;
	drop->ifindex = entered ?: ifindex;
	drop->direction = is_received ? WEIR_INGRESS : WEIR_EGRESS;
	account = account_find(drop->ifindex, drop->direction, &drop->position);
	if (!account)
		return false;
	drop->is_upper = account->flags & WEIR_INTERFACE_IS_UPPER;
	return true;
}

/* The interface that counted the packet, as far as that is known before its headers are read. */
static __always_inline __u32 drop_counted_at(struct sk_buff *skb, const struct drop *drop)
{
	struct weir_last_skb *last = drop->is_upper ? last_of_cpu() : NULL;
	struct weir_account *account;

	if (!last || last->skb != (__u64)(unsigned long)skb)
		return drop->ifindex;
	account = account_at(last->position, WEIR_INGRESS);
	return account ? account->ifindex : drop->ifindex;
}

/*
 * A socket that refuses a packet decides on it where the packet is for one socket only; raw
 * sockets get copies, and a copy that they refuse is not lost.
 */
static __always_inline bool is_for_one_socket(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP ||
	       packet->protocol == IPPROTO_SCTP;
}

/* Classifies a drop without a reason by its place; false: it is ignored. */
static __always_inline bool drop_place(struct drop *drop, __u64 location)
{
	UNROLLED
	for (int i = 0; i < WEIR_DROP_PLACES; i++) {
		const volatile struct weir_drop_place *place = &drop_config.place[i];

		if (!place->start)
			return false;
		if (location >= place->start && location < place->end) {
			drop->reason = place->reason;
			drop->kind = place->kind;
			return true;
		}
	}
	return false;
}

/* Counts a drop that is not ignored. */
static __always_inline void count_interesting(struct sk_buff *skb, __u64 location, __u32 reason,
					      __u8 meaning)
{
	struct drop drop = { .reason = reason, .kind = meaning };
	struct packet packet = {};
	struct weir_flow_key key = {};
	struct dropped_bytes bytes;
	enum packet_kind kind;
	struct sent sent;

	if (meaning & WEIR_DROP_BY_PLACE && !drop_place(&drop, location))
		return;
	if (meaning & WEIR_DROP_ON_EGRESS && sent_find(skb, &sent)) {
		dropped_bytes_init(&bytes, skb, sent.ifindex);
		if (parse_dropped(&bytes, &packet) == PACKET_IP)
			sent_take_back(&sent, &packet, &key);
	}
	if (!drop_attribute(skb, &drop))
		return;
	dropped_bytes_init(&bytes, skb, drop_counted_at(skb, &drop));
	kind = parse_dropped(&bytes, &packet);
	if (kind == PACKET_IP) {
		if (drop.kind & WEIR_DROP_AT_SOCKET && !is_for_one_socket(&packet))
			return;
		drop.skb = (__u64)skb;
		drop.tracked = skb->_nfct;
		if (!drop_find_flow(&drop, &packet, &key))
			return;
	}
	if (drop_count_reason(&drop, kind, &packet) && kind == PACKET_IP)
		drop_count_in_flow(&drop, &key, &packet);
}

static __always_inline void count_drop(struct sk_buff *skb, __u64 location, __u32 reason)
{
	__u8 meaning;

	if (reason >= WEIR_DROP_REASONS)
		return;
	meaning = drop_config.kind[reason];
	if (meaning != WEIR_DROP_IGNORED)
		count_interesting(skb, location, reason, meaning);
}

#endif
