// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What `weir bench datapath` measures, by BPF_PROG_TEST_RUN of one packet over and over: the
 * flow counter, a plain BPF hash-map counter, and an empty program whose time is the harness's.
 * The "rotate" programs first write another source address into the packet, so that every run
 * is a packet of another flow. Never attached to an interface.
 *
 * And an empty program on the tracepoint of dropped packets, for `weir bench drops`.
 */
#include "account.h"

/* Distinct source addresses - 1; the number of addresses is a power of two. */
const volatile __u32 rotation_mask = ~0U;

__u32 rotation = 0;

struct counter {
	__u64 packets;
	__u64 bytes;
	__u64 last; /* ns */
};

/* The usual flow counter: a hash map, both directions in one entry, atomic additions. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024); /* the benchmark sets it */
	__type(key, struct weir_flow_key);
	__type(value, struct counter);
} hash_counters SEC(".maps");

static __always_inline void count_in_hash(struct __sk_buff *skb, bool with_clock)
{
	struct packet packet;
	struct weir_flow_key key;
	struct counter *counter;

	if (parse_packet(skb, WEIR_LINK_ETHERNET, &packet) != PACKET_IP)
		return;
	flow_key_init(&key, &packet, skb->ifindex, 0, WEIR_INGRESS);
	counter = bpf_map_lookup_elem(&hash_counters, &key);
	if (counter) {
		__sync_fetch_and_add(&counter->packets, packet.wire.packets);
		__sync_fetch_and_add(&counter->bytes, packet.wire.bytes);
		if (with_clock)
			counter->last = bpf_ktime_get_ns();
	} else {
		struct counter first = {
			.packets = packet.wire.packets,
			.bytes = packet.wire.bytes,
			.last = bpf_ktime_get_ns(),
		};

		bpf_map_update_elem(&hash_counters, &key, &first, BPF_ANY);
	}
}

/* Gives the packet, Ethernet and IPv4 without options, the next source address. */
static __always_inline void rotate_source(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	struct iphdr *ip = data + ETH_HLEN;

	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return;
	ip->saddr = (rotation++ & rotation_mask) * 0x9e3779b1U;
}

SEC("tc")
int bench_empty(struct __sk_buff *skb)
{
	(void)skb;
	return 0;
}

SEC("tc")
int bench_flows(struct __sk_buff *skb)
{
	count_skb(skb, WEIR_INGRESS);
	return 0;
}

SEC("tc")
int bench_hash(struct __sk_buff *skb)
{
	count_in_hash(skb, false);
	return 0;
}

SEC("tc")
int bench_hash_clock(struct __sk_buff *skb)
{
	count_in_hash(skb, true);
	return 0;
}

SEC("tc")
int bench_rotate_empty(struct __sk_buff *skb)
{
	rotate_source(skb);
	return 0;
}

SEC("tc")
int bench_rotate_flows(struct __sk_buff *skb)
{
	rotate_source(skb);
	count_skb(skb, WEIR_INGRESS);
	return 0;
}

SEC("tc")
int bench_rotate_hash(struct __sk_buff *skb)
{
	rotate_source(skb);
	count_in_hash(skb, false);
	return 0;
}

SEC("tc")
int bench_rotate_hash_clock(struct __sk_buff *skb)
{
	rotate_source(skb);
	count_in_hash(skb, true);
	return 0;
}

/* Beside it runs what counts drops; see `weir bench drops`. */
SEC("tp_btf/kfree_skb")
int bench_empty_drop(__u64 *arguments)
{
	(void)arguments;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
