/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which interfaces are watched, what each carried, and the ring for packets that found no slot.
 */
#ifndef WEIR_ACCOUNT_H
#define WEIR_ACCOUNT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "packet.h"
#include "table.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_MAX_INTERFACES);
	__type(key, __u32);
	__type(value, struct weir_interface);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_MAX_INTERFACES); /* the agent multiplies it by the CPUs */
	__type(key, __u32);
	__type(value, struct weir_interface_account);
} accounts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* the agent sets the size, bytes */
} overflow SEC(".maps");

/*
 * An update of a map of maps returns when every program that was running has ended
 * (maybe_wait_bpf_programs, kernel/bpf/syscall.c). The agent uses that as its grace period.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(max_entries, 1);
			__type(key, __u32);
			__type(value, __u32);
		});
} fence SEC(".maps");

static __always_inline struct weir_interface *interface_find(__u32 ifindex, __u32 *position)
{
	UNROLLED
	for (__u32 i = 0; i < WEIR_INTERFACE_WINDOW; i++) {
		struct weir_interface *interface;

		*position = (ifindex + i) & (WEIR_MAX_INTERFACES - 1);
		interface = bpf_map_lookup_elem(&interfaces, position);
		if (interface && interface->ifindex == ifindex)
			return interface;
	}
	return NULL;
}

static __always_inline void pair_add(struct weir_pair *pair, __u64 packets, __u64 bytes)
{
	pair->packets += packets;
	pair->bytes += bytes;
}

/* Sends the packet to the agent, and wakes it when the ring fills; false if the ring is full. */
static __always_inline bool overflow_send(const struct weir_flow_key *key,
					  const struct weir_pair *wire, __u32 marks, int direction,
					  enum weir_event_kind kind, __u16 reason)
{
	struct weir_overflow_event *event = bpf_ringbuf_reserve(&overflow, sizeof(*event), 0);
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (!event)
		return false;
	event->key = *key;
	event->bytes = wire->bytes;
	event->packets = wire->packets;
	event->marks = marks;
	event->direction = direction;
	event->kind = kind;
	event->reason = reason;
	event->pad = 0;
	if (bpf_ringbuf_query(&overflow, BPF_RB_AVAIL_DATA) >= config.ring_wakeup)
		flags = BPF_RB_FORCE_WAKEUP;
	bpf_ringbuf_submit(event, flags);
	return true;
}

static __always_inline void flow_key_init(struct weir_flow_key *key, const struct packet *packet,
					  __u32 ifindex, __u32 position, int direction)
{
	bool is_icmp = packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6;
	bool source_is_near = direction == WEIR_INGRESS;

	key->ifindex = ifindex;
	key->pad0 = 0;
	key->near_addr[0] = source_is_near ? packet->source[0] : packet->destination[0];
	key->near_addr[1] = source_is_near ? packet->source[1] : packet->destination[1];
	key->far_addr[0] = source_is_near ? packet->destination[0] : packet->source[0];
	key->far_addr[1] = source_is_near ? packet->destination[1] : packet->source[1];
	/* An ICMP identifier belongs to the conversation, not to an end. */
	key->near_port = source_is_near || is_icmp ? packet->source_port : packet->destination_port;
	key->far_port = source_is_near || is_icmp ? packet->destination_port : packet->source_port;
	key->protocol = packet->protocol;
	key->pad1 = 0;
	key->interface = position;
}

static __always_inline __u32 flow_marks(const struct packet *packet, int direction)
{
	__u32 marks = (__u32)packet->tcp_flags << WEIR_MARK_TCP_FLAGS(direction);

	if (packet->opens)
		marks |= WEIR_MARK_OPENED_INGRESS << direction;
	if (packet->accepts)
		marks |= WEIR_MARK_ACCEPTED_INGRESS << direction;
	return marks;
}

/*
 * Counts one skb: in its flow, else in the ring, else as lost, or as what it is; and in the
 * account of its interface, exactly once.
 */
static __always_inline void count_skb(struct __sk_buff *skb, int direction)
{
	__u32 ifindex = skb->ifindex;
	__u32 position;
	struct weir_interface *interface = interface_find(ifindex, &position);
	struct weir_interface_account *accounts_of_cpu;
	struct weir_account *account;
	struct packet packet;
	struct weir_flow_key key;
	enum packet_kind kind;
	__u32 index, marks;

	if (!interface)
		return;
	index = position * config.cpus + bpf_get_smp_processor_id();
	accounts_of_cpu = bpf_map_lookup_elem(&accounts, &index);
	if (!accounts_of_cpu)
		return;
	account = &accounts_of_cpu->direction[direction];

	pair_add(&account->skb, 1, skb->len);
	kind = parse_packet(skb, interface->link_header, &packet);
	if (kind != PACKET_IP) {
		pair_add(&account->seen, 1, skb->len);
		if (kind == PACKET_NOT_IP) {
			pair_add(&account->not_ip, 1, skb->len);
		} else {
			pair_add(&account->unparsed, 1, skb->len);
			account->unparsed_reason[packet.reason & (WEIR_UNPARSED_REASONS - 1)] += 1;
		}
		return;
	}

	pair_add(&account->seen, packet.wire.packets, packet.wire.bytes);
	flow_key_init(&key, &packet, ifindex, position, direction);
	marks = flow_marks(&packet, direction);
	if (table_add(&key, &packet.wire, marks, direction))
		return;
	if (direction == WEIR_EGRESS)
		marks |= WEIR_MARK_FIRST_EGRESS;
	if (!overflow_send(&key, &packet.wire, marks, direction, WEIR_EVENT_PACKET, 0))
		pair_add(&account->lost, packet.wire.packets, packet.wire.bytes);
}

#endif
