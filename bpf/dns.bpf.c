// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Counts packets with DNS messages as weir.bpf.c does, which hands them on (dns_call.h), and copies
 * the messages of the clients behind the interfaces into a ring.
 *
 * Every message crosses several interfaces. The one that counts is the client's: on a workload's
 * interface queries enter and answers leave, on one of the host they leave and enter. Only the
 * client itself gets such a packet there, so the owner of a response is certain.
 *
 * A packet that is not usual (usual.h) is counted and not copied: fragments, VLAN tags, IP options.
 */
#include "account.h"
#include "datagram_call.h"
#include "datagram_sender.h"
#include "map.h"
#include "ring_share.h"

#define VERDICT_NEXT (-1) /* TCX_NEXT, TC_ACT_UNSPEC */
#define DNS_HEADER_SIZE 12

RING_MAP(dns_messages, WEIR_DNS_RING);

SHARED_ARRAY_MAP(dns_shares, struct weir_ring_share, WEIR_MAX_INTERFACES);

ARRAY_MAP(dns_asked, struct weir_dns_asked, WEIR_DNS_CLIENTS);

/* Stores the port of a client's query; returns whether the port of a response is stored and recent. */
static __always_inline bool is_asked(const struct weir_dns_message *message, __u32 client,
				     bool is_query)
{
	struct weir_dns_asked *asked = bpf_map_lookup_elem(&dns_asked, &client);
	__u16 port = bpf_ntohs(is_query ? message->source_port : message->destination_port);
	__u16 time = message->time >> WEIR_DNS_TIME_SHIFT;
	__u32 *known, next, earlier;

	if (!asked)
		return false;
	known = asked->port[port & (WEIR_DNS_PORTS - 1)];
	if (is_query) {
		next = (__u32)port << 16 | time;
		UNROLLED
		for (int i = 0; i < WEIR_DNS_PORTS_ALIKE; i++) {
			earlier = known[i];
			known[i] = next;
			if (earlier >> 16 == port)
				break;
			next = earlier;
		}
		return true;
	}
	UNROLLED
	for (int i = 0; i < WEIR_DNS_PORTS_ALIKE; i++)
		if (known[i] >> 16 == port && (__u16)(time - known[i]) <= WEIR_DNS_PATIENCE)
			return true;
	return false;
}

/* Copies a message into a record with room for a number of bytes of payload, at an offset of the packet. */
static __always_inline void send(struct __sk_buff *skb, struct weir_ring_share *share,
				 const struct weir_dns_message *message, __u32 offset,
				 const __u32 room)
{
	const __u32 size = sizeof(*message) + room;
	__u64 waiting = bpf_ringbuf_query(&dns_messages, BPF_RB_AVAIL_DATA);
	struct weir_dns_message *record = NULL;
	__u32 length = message->copied;

	if (has_room(share, size, waiting, WEIR_DNS_RING))
		record = bpf_ringbuf_reserve(&dns_messages, size, 0);
	if (!record) {
		__sync_fetch_and_add(&share->lost, 1);
		return;
	}
	__sync_fetch_and_add(&share->bytes, size + BPF_RINGBUF_HDR_SZ);
	*record = *message;
	/* The compiler knows its bounds, the verifier does not. */
	barrier_var(length);
	if (length < DNS_HEADER_SIZE || length > room ||
	    bpf_skb_load_bytes(skb, offset, record + 1, length)) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return;
	}
	/* Before one interface alone has all that it may have, a quarter. */
	bpf_ringbuf_submit(record,
			   waiting >= WEIR_DNS_RING / 8 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

/* Reads addresses and ports; the offset of the payload, 0 if it has none. */
static __always_inline __u32 describe(struct __sk_buff *skb, __u32 offset,
				      struct weir_dns_message *message)
{
	struct udphdr udp;
	struct ipv6hdr v6;
	struct iphdr v4;

	if (bpf_skb_load_bytes(skb, offset, &v4, sizeof(v4)))
		return 0;
	if (v4.version == 4) {
		message->source[0] = v4.saddr;
		message->destination[0] = v4.daddr;
		offset += sizeof(v4);
	} else {
		if (bpf_skb_load_bytes(skb, offset, &v6, sizeof(v6)))
			return 0;
		__builtin_memcpy(message->source, &v6.saddr, sizeof(message->source));
		__builtin_memcpy(message->destination, &v6.daddr, sizeof(message->destination));
		offset += sizeof(v6);
	}
	message->version = v4.version;
	if (bpf_skb_load_bytes(skb, offset, &udp, sizeof(udp)))
		return 0;
	message->source_port = udp.source;
	message->destination_port = udp.dest;
	message->length = bpf_ntohs(udp.len);
	if (message->length < sizeof(udp) + DNS_HEADER_SIZE)
		return 0;
	message->length -= sizeof(udp);
	return offset + sizeof(udp);
}

/*
 * Whether this host itself has sent a query through its interface: a UDP socket of the interface's network
 * namespace. A pod or virtual machine that uses the same device (macvlan) may send packets with the address
 * of this host: from a raw socket, or from a socket that has bound the address in its own namespace. The
 * addresses of the socket are not compared: those of the packet may be translated (services).
 */
static __always_inline bool is_of_host(struct __sk_buff *skb, const struct weir_dns_message *query)
{
	struct sk_buff *kernel_skb = (void *)skb;
	struct sock___net *sk;

	if (query->arrival || !datagram_sender(skb, bpf_ntohs(query->source_port)))
		return false;
	sk = (void *)BPF_CORE_READ(kernel_skb, sk);
	return BPF_CORE_READ(sk, __sk_common.skc_net.net) ==
	       BPF_CORE_READ(kernel_skb, dev, nd_net.net);
}

/* Whether the message belongs to the client behind the interface. */
static __always_inline bool is_clients(struct __sk_buff *skb,
				       const struct weir_dns_message *message, bool is_workload,
				       __u32 position)
{
	bool is_query = (message->direction == WEIR_INGRESS) == is_workload;
	__be16 port = is_query ? message->destination_port : message->source_port;

	if (port != bpf_htons(WEIR_DNS_PORT))
		return false;
	if (!is_workload && is_query && !is_of_host(skb, message))
		return false;
	return is_asked(message, is_workload ? position : WEIR_DNS_CLIENT_HOST, is_query);
}

/* A function of its own: it needs stack and registers apart from those of the counting. */
static __noinline int copy_message(struct __sk_buff *skb, int direction)
{
	struct weir_dns_message message = {
		.time = bpf_ktime_get_ns(),
		.ifindex = skb->ifindex,
		.direction = direction,
		.arrival = skb->ingress_ifindex,
	};
	struct weir_account *account;
	struct weir_ring_share *share;
	__u32 position, offset;

	account = account_find(message.ifindex, direction, &position);
	if (!account)
		return 0;
	offset = describe(skb, account->link_header == WEIR_LINK_NONE ? 0 : ETH_HLEN, &message);
	if (!offset ||
	    !is_clients(skb, &message, account->flags & WEIR_INTERFACE_IS_WORKLOAD, position))
		return 0;
	share = bpf_map_lookup_elem(&dns_shares, &position);
	if (!share)
		return 0;
	message.copied = message.length < WEIR_DNS_LARGE ? message.length : WEIR_DNS_LARGE;
	if (message.copied <= WEIR_DNS_SMALL)
		send(skb, share, &message, offset, WEIR_DNS_SMALL);
	else if (message.copied <= WEIR_DNS_MEDIUM)
		send(skb, share, &message, offset, WEIR_DNS_MEDIUM);
	else
		send(skb, share, &message, offset, WEIR_DNS_LARGE);
	return 0;
}

SEC("tc")
int weir_dns_ingress(struct __sk_buff *skb)
{
	bool is_first = count_skb(skb, WEIR_INGRESS);

	copy_message(skb, WEIR_INGRESS);
	hand_on_datagram(skb, is_first, WEIR_INGRESS);
	return VERDICT_NEXT;
}

SEC("tc")
int weir_dns_egress(struct __sk_buff *skb)
{
	bool is_first = count_skb(skb, WEIR_EGRESS);

	copy_message(skb, WEIR_EGRESS);
	hand_on_datagram(skb, is_first, WEIR_EGRESS);
	return VERDICT_NEXT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
