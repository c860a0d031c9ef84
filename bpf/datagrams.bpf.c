// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The owners of UDP sockets, for all network namespaces.
 *
 * Every socket gets its owner when it is made: the process that calls socket(). On the interface that
 * the sender's packets cross first, a packet still has the sender's socket; weir.bpf.c hands the first
 * one of each flow and direction on to here, after it has counted it. No other packet costs anything.
 *
 * The sender's interface: a workload's, on which its packets enter; one of the host, on which the
 * host's own packets leave.
 */
#include "account.h"
#include "datagram_sender.h"
#include "map.h"
#include "owner.h"
#include "ring_share.h"

#define VERDICT_NEXT (-1) /* TCX_NEXT, TC_ACT_UNSPEC */
#define SOCKET_IS_GOOD 1 /* of a program at a cgroup: the socket may be made */

RING_MAP(datagram_reports, WEIR_DATAGRAM_RING);

SHARED_ARRAY_MAP(datagram_shares, struct weir_ring_share, WEIR_MAX_INTERFACES);

SEC("cgroup/sock_create")
int weir_datagram_create(struct bpf_sock *sk)
{
	struct weir_socket_storage *storage;

	if (sk->protocol != IPPROTO_UDP || sk->type != SOCK_DGRAM)
		return SOCKET_IS_GOOD;
	storage = storage_of(sk);
	if (storage)
		own(&storage->owner, (struct task_struct *)bpf_get_current_task());
	return SOCKET_IS_GOOD;
}

/* The words of an IPv4 address as ::ffff:a.b.c.d. */
static __always_inline void map_ipv4(__be32 *words, __be32 address)
{
	words[0] = words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = address;
}

/* Reads addresses and ports of a packet, whose sender is local; false if they are not where they usually are. */
static __always_inline bool describe(struct __sk_buff *skb, __u32 offset,
				     struct weir_socket *socket)
{
	struct udphdr udp;
	struct ipv6hdr v6;
	struct iphdr v4;

	if (bpf_skb_load_bytes(skb, offset, &v4, sizeof(v4)))
		return false;
	if (v4.version == 4) {
		if (v4.ihl != sizeof(v4) / 4 || v4.protocol != IPPROTO_UDP)
			return false;
		map_ipv4(socket->local, v4.saddr);
		map_ipv4(socket->remote, v4.daddr);
		offset += sizeof(v4);
	} else {
		if (bpf_skb_load_bytes(skb, offset, &v6, sizeof(v6)) || v6.nexthdr != IPPROTO_UDP)
			return false;
		__builtin_memcpy(socket->local, &v6.saddr, sizeof(socket->local));
		__builtin_memcpy(socket->remote, &v6.daddr, sizeof(socket->remote));
		offset += sizeof(v6);
	}
	if (bpf_skb_load_bytes(skb, offset, &udp, sizeof(udp)))
		return false;
	socket->local_port = udp.source;
	socket->remote_port = udp.dest;
	return true;
}

/* What the socket stores that has sent a packet from a port. */
static __always_inline struct weir_socket_storage *sender_storage(struct __sk_buff *skb, __u16 port)
{
	struct bpf_sock *sk = datagram_sender(skb, port);

	return sk ? known_storage_of(sk) : NULL;
}

static __always_inline void post(const struct weir_socket *socket, __u32 position)
{
	struct weir_ring_share *share = bpf_map_lookup_elem(&datagram_shares, &position);
	__u64 waiting = bpf_ringbuf_query(&datagram_reports, BPF_RB_AVAIL_DATA);
	const __u32 size = sizeof(*socket) + BPF_RINGBUF_HDR_SZ;

	if (!share)
		return;
	if (!has_room(share, size, waiting, WEIR_DATAGRAM_RING) ||
	    bpf_ringbuf_output(&datagram_reports, (void *)socket, sizeof(*socket),
			       waiting >= WEIR_DATAGRAM_RING / 8 ? BPF_RB_FORCE_WAKEUP :
								   BPF_RB_NO_WAKEUP)) {
		__sync_fetch_and_add(&share->lost, 1);
		return;
	}
	__sync_fetch_and_add(&share->bytes, size);
}

static __noinline int report_owner(struct __sk_buff *skb, int direction)
{
	struct weir_socket socket = { .ifindex = skb->ifindex };
	struct weir_socket_storage *storage;
	struct weir_account *account;
	__u32 position;
	bool is_workload;

	account = account_find(skb->ifindex, direction, &position);
	if (!account)
		return 0;
	is_workload = account->flags & WEIR_INTERFACE_IS_WORKLOAD;
	if ((direction == WEIR_INGRESS) != is_workload)
		return 0;
	if (!describe(skb, account->link_header == WEIR_LINK_NONE ? 0 : ETH_HLEN, &socket))
		return 0;
	storage = sender_storage(skb, bpf_ntohs(socket.local_port));
	if (!storage || !storage->owner.process)
		return 0;
	socket.owner = storage->owner;
	socket.flags = WEIR_SOCKET_IS_DATAGRAM | (is_workload ? 0 : WEIR_SOCKET_IS_HOST);
	post(&socket, position);
	return 0;
}

SEC("tc")
int weir_datagram_ingress(struct __sk_buff *skb)
{
	report_owner(skb, WEIR_INGRESS);
	return VERDICT_NEXT;
}

SEC("tc")
int weir_datagram_egress(struct __sk_buff *skb)
{
	report_owner(skb, WEIR_EGRESS);
	return VERDICT_NEXT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
