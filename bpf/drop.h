/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the kernel dropped of the flows: every skb that it frees with a reason, of the network
 * namespace and the interfaces that are watched.
 *
 * A packet that entered through an interface belongs to that interface, however late it was
 * dropped; one that was made on this machine belongs to the interface that it was to leave
 * through.
 */
#ifndef WEIR_DROP_H
#define WEIR_DROP_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "account.h"
#include "kernel.h"
#include "packet.h"
#include "table.h"

const volatile struct weir_drop_config drop_config = {};

/* Beside the flow table: the drops of the flow in the slot of the same index. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_MIN_SLOTS); /* the agent sets the number of slots */
	__type(key, __u32);
	__type(value, struct weir_drop_slot);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_MIN_SLOTS >> WEIR_OCCUPIED_SHIFT); /* the agent sets it */
	__type(key, __u32);
	__type(value, __u64);
} dropped SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_MAX_INTERFACES);
	__type(key, __u32);
	__type(value, struct weir_drop_interface);
} drop_interfaces SEC(".maps");

/* Packets by reason: index = interface position * drop_config.reasons + reason. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_MAX_INTERFACES); /* the agent multiplies it by the reasons */
	__type(key, __u32);
	__type(value, __u64);
} drop_counts SEC(".maps");

/* What is known of a dropped packet before its headers are read. */
struct drop {
	__u32 ifindex;
	__u32 position; /* of the interface */
	struct weir_account *account;
	int direction;
	__u16 reason;
	__u8 kind; /* WEIR_DROP_* */
	bool is_upper; /* the interface is an upper device; the packet was counted below */
	bool is_translated; /* the destination below is not the one that was called */
	__be16 destination_port;
	__u64 destination[2];
};

/* ---- Whose packet it was ---------------------------------------------------------------- */

/* The device of the route that the packet was to take. */
static __always_inline struct net_device *route_device(struct sk_buff *skb)
{
	struct dst_entry *route = (void *)(skb->_skb_refdst & ~SKB_DST_NOREF);

	return BPF_CORE_READ(route, dev);
}

/*
 * Finds the interface and the direction; false if the packet is of no watched one. Interface
 * indices mean something in their own namespace only, and this hook sees all namespaces.
 *
 * skb->dev is none while a packet is made and where TCP holds it, and is no pointer where UDP
 * queues it; a pointer that leads nowhere reads as 0. A `reject` of IPv6 on the way out sets it to
 * the loopback device (nf_send_unreach6).
 */
static __always_inline bool drop_attribute(struct sk_buff *skb, struct drop *drop)
{
	__u32 entered = skb->skb_iif;
	bool is_received = entered || drop->kind & WEIR_DROP_BEFORE_INGRESS;
	struct net_device *device = skb->dev;
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
	drop->account = account_find(drop->ifindex, drop->direction, &drop->position);
	drop->is_upper = drop->account && drop->account->flags & WEIR_INTERFACE_IS_UPPER;
	return drop->account;
}

/*
 * Moves a drop from an upper device to the lower interface where its packet was counted. The
 * address of the packet says so for certain where everything below the upper device is watched;
 * else a flow with its key does.
 *
 * What is found nowhere below stays with the upper device: a packet that was to leave, which has no
 * lower interface yet, and one that came from another upper device of the same lower one. If not
 * everything below is watched, it may be of an interface that is not: false.
 */
static __always_inline bool drop_descend(struct sk_buff *skb, struct drop *drop,
					 struct weir_flow_key *key)
{
	struct weir_upper *upper = bpf_map_lookup_elem(&uppers, &drop->position);
	bool entered = drop->direction == WEIR_INGRESS;
	struct weir_last_skb *last = last_of_cpu();

	if (!upper || !last)
		return false;
	if (!key_descends(key, upper, entered)) {
		if (!upper->is_complete)
			return false;
		if (!entered)
			return true;
		if (last->skb != (__u64)(unsigned long)skb) {
			drop->kind |= WEIR_DROP_BEFORE_INGRESS;
			return true;
		}
		key->interface = last->position;
	}
	drop->kind &= ~WEIR_DROP_BEFORE_INGRESS;
	drop->position = key->interface;
	drop->account = account_at(drop->position, drop->direction & 1);
	if (!drop->account)
		return false;
	drop->ifindex = drop->account->ifindex;
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

/* ---- Which flow ------------------------------------------------------------------------- */

/* Keeps where a packet was on its way to, if that is not the destination that was called. */
static __always_inline void keep_destination(struct drop *drop, const struct packet *packet,
					     const __u64 *called, __be16 called_port)
{
	drop->is_translated = packet->destination[0] != called[0] ||
			      packet->destination[1] != called[1] ||
			      packet->destination_port != called_port;
	drop->destination[0] = packet->destination[0];
	drop->destination[1] = packet->destination[1];
	drop->destination_port = packet->destination_port;
}

static __always_inline void conntrack_address(__u64 *to, const __u32 *from, bool is_ipv4)
{
	if (is_ipv4) {
		to[0] = 0;
		to[1] = (__u64)from[0] << 32 | IPV4_MAPPED;
	} else {
		__builtin_memcpy(to, from, 16);
	}
}

/*
 * Gives a packet that may have been translated the addresses and ports that it has on its
 * interface, so that what was dropped lands in the slot that counts the flow.
 *
 * Connection tracking knows both directions of a connection as they arrive. A packet that entered
 * has the tuple of its own direction: that is from before DNAT, and in replies from before the
 * translation back. A packet that was made here leaves with the tuple of the other direction,
 * turned round: that is from after DNAT and, once the connection has been translated, SNAT.
 *
 * It does not help where the skb has lost its connection: after a tunnel or a reset of the
 * connection (nf_reset_ct), which local delivery to a socket does, and where conntrack is a
 * module that was loaded after this program. There the packet counts as what it looks like. An
 * ICMP error carries the connection that it complains of and is left alone.
 */
static __always_inline void undo_translation(struct sk_buff *skb, struct packet *packet,
					     struct drop *drop)
{
	unsigned long tracked = skb->_nfct;
	struct nf_conn *connection = (void *)(tracked & ~SKB_NFCT_INFO);
	bool is_reply = (tracked & SKB_NFCT_INFO) >= IP_CT_IS_REPLY;
	bool is_icmp = packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6;
	bool leaves = drop->direction == WEIR_EGRESS;
	struct conntrack_tuple tuple;
	__u64 called[2];
	const void *from;
	bool is_v4;

	if (!bpf_core_type_exists(struct nf_conn) || !connection)
		return;
	from = is_reply != leaves ? (const void *)__builtin_preserve_access_index(
					    &connection->tuplehash[1].tuple) :
				    (const void *)__builtin_preserve_access_index(
					    &connection->tuplehash[0].tuple);
	if (bpf_probe_read_kernel(&tuple, sizeof(tuple), from))
		return;
	if (tuple.protocol != packet->protocol || (is_icmp && !packet->opens && !packet->accepts))
		return;
	is_v4 = is_ipv4(packet);
	if (!leaves && !is_reply && packet->ports && !is_icmp) {
		conntrack_address(called, tuple.destination, is_v4);
		keep_destination(drop, packet, called, tuple.destination_port);
	}
	conntrack_address(leaves ? packet->destination : packet->source, tuple.source, is_v4);
	conntrack_address(leaves ? packet->source : packet->destination, tuple.destination, is_v4);
	if (is_icmp) {
		packet->source_port = tuple.source_port;
	} else if (packet->ports) {
		packet->source_port = leaves ? tuple.destination_port : tuple.source_port;
		packet->destination_port = leaves ? tuple.source_port : tuple.destination_port;
	}
}

/* ---- Counting --------------------------------------------------------------------------- */

/* Tells the agent that there is something to drain; after it was added. */
static __always_inline void slot_mark_dropped(__u32 index)
{
	__u32 position = (index & config.slot_mask) >> WEIR_OCCUPIED_SHIFT;
	__u64 *word = bpf_map_lookup_elem(&dropped, &position);
	__u64 before;

	if (!word)
		return;
	before = __sync_fetch_and_or(word, 1ULL << (index & ((1U << WEIR_OCCUPIED_SHIFT) - 1)));
	/* Its result is wanted: only then is the operation ordered after the additions. */
	asm volatile("" ::"r"(before));
}

/* Which count of denied packets this one belongs to. */
static __always_inline __u32 drop_lane(const struct drop *drop)
{
	return drop->kind & WEIR_DROP_BEFORE_INGRESS ? WEIR_DROP_UNCOUNTED : drop->direction & 1;
}

static __always_inline void slot_drop(__u32 index, const struct drop *drop,
				      const struct weir_pair *wire)
{
	__u32 masked = index & config.slot_mask;
	struct weir_drop_slot *slot = bpf_map_lookup_elem(&drops, &masked);
	__u32 direction = drop->direction & 1; /* for the verifier */
	__u32 lane = drop_lane(drop);

	if (!slot)
		return;
	if ((drop->kind & WEIR_DROP_CLASS) == WEIR_DROP_DECISION) {
		slot->decision = drop->reason;
		if (drop->is_translated) {
			slot->destination[0] = drop->destination[0];
			slot->destination[1] = drop->destination[1];
			slot->destination_port = bpf_ntohs(drop->destination_port);
		}
		__sync_fetch_and_add(&slot->bytes[lane], wire->bytes);
		__sync_fetch_and_add(&slot->packets[lane], (__u32)wire->packets);
	} else {
		slot->trouble_reason = drop->reason;
		__sync_fetch_and_add(&slot->trouble[direction], (__u32)wire->packets);
	}
	slot_mark_dropped(index);
}

/* Counts a denied packet that has no slot: in the ring, else in the remainder. */
static __always_inline void count_denied_outside(const struct drop *drop,
						 const struct weir_flow_key *key,
						 const struct packet *packet, __u32 marks,
						 struct weir_drop_interface *denied)
{
	bool is_uncounted = drop->kind & WEIR_DROP_BEFORE_INGRESS;
	struct weir_interface *interface = interface_at(drop->position);

	if (!interface ||
	    overflow_send(interface, key, &packet->wire, marks, drop->direction,
			  is_uncounted ? WEIR_EVENT_DENIED_UNCOUNTED : WEIR_EVENT_DENIED,
			  drop->reason))
		return;
	pair_add_atomic(&denied->remainder[drop_lane(drop)], packet->wire.packets,
			packet->wire.bytes);
}

/*
 * Counts a denied packet in its flow, which begins here if it has not. It never adds to a lane and
 * owns none: this program may run inside of one that does.
 */
static __always_inline void count_denied(const struct drop *drop, const struct weir_flow_key *key,
					 const struct packet *packet,
					 struct weir_drop_interface *denied)
{
	__u32 marks = flow_marks(packet, drop->direction);
	__u64 place;
	__u32 index;

	/* On some kernels a drop in an interrupt runs inside of this one. */
	pair_add_atomic(&drop->account->denied, packet->wire.packets, packet->wire.bytes);
	if (drop->direction == WEIR_EGRESS)
		marks |= WEIR_MARK_FIRST_EGRESS;
	if (!slot_find(key, &index, &place)) {
		/* The coarse clock is not for programs that may run anywhere. */
		int claimed = table_claim(key, place, marks, 0,
					  bpf_ktime_get_ns() >> WEIR_BIRTH_UNIT_SHIFT);

		if (claimed == TABLE_FULL) {
			count_denied_outside(drop, key, packet, marks, denied);
			return;
		}
		index = claimed;
	}
	slot_drop(index, drop, &packet->wire);
}

/* Counts other trouble, of flows that have a slot only: it makes no flow by itself. */
static __always_inline void count_trouble(const struct drop *drop, const struct weir_flow_key *key,
					  const struct packet *packet)
{
	__u64 place;
	__u32 index;

	if (slot_find(key, &index, &place))
		slot_drop(index, drop, &packet->wire);
}

/*
 * A socket that does not take a packet decides on it where the packet is for one socket only; raw
 * sockets get copies, and what they refuse is not lost.
 */
static __always_inline bool is_for_one_socket(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP ||
	       packet->protocol == IPPROTO_SCTP;
}

/* Finds out by the place what a drop without a reason means; false: nothing. */
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

static __always_inline void count_drop(struct sk_buff *skb, __u64 location, __u32 reason)
{
	struct drop drop = { .reason = reason };
	struct weir_drop_interface *interface;
	struct packet packet;
	struct weir_flow_key key;
	enum packet_kind kind;
	__u64 *count;
	__u32 index;

	if (reason >= WEIR_DROP_REASONS)
		return;
	drop.kind = drop_config.kind[reason];
	if (drop.kind == WEIR_DROP_IGNORED)
		return;
	if (drop.kind & WEIR_DROP_BY_PLACE && !drop_place(&drop, location))
		return;
	if (!drop_attribute(skb, &drop))
		return;
	kind = parse_dropped(skb, drop_counted_at(skb, &drop), &packet);
	if (kind == PACKET_IP && drop.kind & WEIR_DROP_AT_SOCKET && !is_for_one_socket(&packet))
		return;
	if (kind == PACKET_IP) {
		undo_translation(skb, &packet, &drop);
		flow_key_init(&key, &packet, drop.position, drop.direction);
		if (drop.is_upper && !drop_descend(skb, &drop, &key))
			return;
	}
	interface = bpf_map_lookup_elem(&drop_interfaces, &drop.position);
	if (!interface || interface->ifindex != drop.ifindex)
		return;
	index = drop.position * drop_config.reasons + drop.reason;
	count = bpf_map_lookup_elem(&drop_counts, &index);
	if (count)
		__sync_fetch_and_add(count, kind == PACKET_IP ? packet.wire.packets : 1);
	if (kind == PACKET_UNPARSED)
		__sync_fetch_and_add(&interface->unparsed, 1);
	if (kind != PACKET_IP)
		return;
	if ((drop.kind & WEIR_DROP_CLASS) == WEIR_DROP_DECISION)
		count_denied(&drop, &key, &packet, interface);
	else
		count_trouble(&drop, &key, &packet);
}

#endif
