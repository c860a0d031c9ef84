/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Finds the flow of a dropped packet: the one with the addresses that the packet has on its
 * interface, at the interface that counted it.
 */
#ifndef WEIR_DROP_FLOW_H
#define WEIR_DROP_FLOW_H

#include "account.h"
#include "dropped.h"
#include "upper.h"

/* Keeps the destination of a packet, if that is not the one that its client called. */
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
 * interface, so that the drop is counted in the slot that counts the flow.
 *
 * Connection tracking has both directions of a connection as they arrive. A packet that entered
 * has the tuple of its own direction: the one before DNAT, and for replies the one before the
 * translation back. A packet that was made here leaves with the tuple of the other direction,
 * reversed: the one after DNAT and, once the connection has been translated, after SNAT.
 *
 * It does not help where the skb has lost its connection: after a tunnel or a reset of the
 * connection (nf_reset_ct), which local delivery to a socket does, and where conntrack is a
 * module that was loaded after this program. There the packet is counted by its own addresses. An
 * ICMP error carries the connection that it is about and is left alone.
 */
static __always_inline void undo_translation(struct packet *packet, struct drop *drop)
{
	struct nf_conn *connection = (void *)(drop->tracked & ~SKB_NFCT_INFO);
	bool is_reply = (drop->tracked & SKB_NFCT_INFO) >= IP_CT_IS_REPLY;
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

/*
 * Moves a drop from an upper device to the lower interface where its packet was counted. The
 * address of the packet determines it where everything below the upper device is watched;
 * else a flow with its key does.
 *
 * A drop that is found nowhere below stays with the upper device: a packet that was to leave, which
 * has no lower interface yet, and one that came from another upper device of the same lower one. If
 * not everything below is watched, it may belong to an interface that is not: false.
 */
static __always_inline bool drop_descend(struct drop *drop, struct weir_flow_key *key)
{
	__u32 position = drop->position; /* before Linux 6.2 a key has to lie on the stack */
	struct weir_upper *upper = bpf_map_lookup_elem(&uppers, &position);
	bool entered = drop->direction == WEIR_INGRESS;
	struct weir_last_skb *last = last_of_cpu();
	struct weir_account *account;

	if (!upper || !last)
		return false;
	if (!key_descends(key, upper, entered)) {
		if (!upper->is_complete)
			return false;
		if (!entered)
			return true;
		if (last->skb != drop->skb) {
			drop->kind |= WEIR_DROP_BEFORE_INGRESS;
			return true;
		}
		key->interface = last->position;
	}
	drop->kind &= ~WEIR_DROP_BEFORE_INGRESS;
	drop->position = key->interface;
	account = account_at(drop->position, drop->direction & 1);
	if (!account)
		return false;
	drop->ifindex = account->ifindex;
	return true;
}

/* Finds the key of the flow, and the interface; returns 0 if the drop is not to be counted. */
__noinline int drop_find_flow(struct drop *drop, struct packet *packet, struct weir_flow_key *key)
{
	if (!drop || !packet || !key)
		return 0;
	undo_translation(packet, drop);
	flow_key_init(key, packet, drop->position, drop->direction);
	return !drop->is_upper || drop_descend(drop, key) ? 1 : 0;
}

#endif
