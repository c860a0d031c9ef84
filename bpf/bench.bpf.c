// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The programs that `weir bench datapath` measures, by BPF_PROG_TEST_RUN of one packet repeatedly: the
 * flow counter, plain BPF hash-map counters, and an empty program whose time is the harness's.
 * With more than one flow each first writes the next flow's address into the packet. For packets
 * that really travel the hash-map counter is attached to a veth, in network namespaces of the
 * benchmark's own.
 *
 * And an empty program on the tracepoint of dropped packets, for `weir bench drops`.
 */
#include "account.h"

/* Number of flows - 1; the number is a power of two. */
const volatile __u32 flow_mask = 0;
/* log2 of the number of flows. */
const volatile __u32 flow_bits = 0;
/* Half of flow_bits, at least 1: the shuffle's shift. */
const volatile __u32 flow_shift = 0;

__u32 packet_number = 0;

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

static __always_inline void count_in_hash(const struct weir_flow_key *key,
					  const struct weir_pair *wire, bool with_clock)
{
	struct counter *counter = bpf_map_lookup_elem(&hash_counters, key);

	if (counter) {
		__sync_fetch_and_add(&counter->packets, wire->packets);
		__sync_fetch_and_add(&counter->bytes, wire->bytes);
		if (with_clock)
			counter->last = bpf_ktime_get_ns();
	} else {
		struct counter first = {
			.packets = wire->packets,
			.bytes = wire->bytes,
			.last = with_clock ? bpf_ktime_get_ns() : 0,
		};

		bpf_map_update_elem(&hash_counters, key, &first, BPF_ANY);
	}
}

/* Counts the result of the long parser. */
static __always_inline void hash_any(struct __sk_buff *skb, int direction, bool with_clock)
{
	struct weir_flow_key key;
	struct packet packet;

	if (parse_any(skb, WEIR_LINK_ETHERNET, &packet) != PACKET_IP)
		return;
	flow_key_init(&key, &packet, 0, direction);
	count_in_hash(&key, &packet.wire, with_clock);
}

/* The same of an unusual packet, a function of its own as it is in the flow counter. */
static __noinline int hash_unusual(struct __sk_buff *skb, int direction, bool with_clock)
{
	hash_any(skb, direction, with_clock);
	return 0;
}

static __always_inline void hash_usual(const struct usual *usual, bool is_v4, bool with_clock)
{
	struct weir_pair wire = {
		.packets = usual->packets,
		.bytes = usual->bytes,
	};
	struct weir_flow_key key;

	view_copy(&usual->key, is_v4, &key);
	count_in_hash(&key, &wire, with_clock);
}

/* Adds a packet to hash_counters; parses it as the flow counter does. */
static __always_inline void hash_skb(struct __sk_buff *skb, int direction, bool with_clock)
{
	struct usual usual;
	__u32 type = usual_begin(skb, WEIR_LINK_ETHERNET, 0, direction, &usual);

	if (type == bpf_htons(ETH_P_IP) && LIKELY(usual_ipv4(&usual)))
		hash_usual(&usual, true, with_clock);
	else if (type == bpf_htons(ETH_P_IPV6) && LIKELY(usual_ipv6(&usual)))
		hash_usual(&usual, false, with_clock);
	else
		hash_unusual(skb, direction, with_clock);
}

/*
 * The flow of a packet number: the order differs in every round over all flows, so that neither the
 * order in which flows began nor a fixed distance predicts the next one. Each step is a
 * bijection of the numbers below 2^n.
 */
static __always_inline __u32 flow_of(__u32 number)
{
	__u32 mask = flow_mask, shift = flow_shift;
	__u32 round = number >> flow_bits;

	for (int i = 0; i < 2; i++) {
		number += round * 0x9e3779b1U;
		number = number * 0x2c1b3c6dU & mask;
		number ^= number >> shift;
	}
	return number;
}

/*
 * Gives the packet, Ethernet and an IP header without options, the source address of the next flow.
 * In stores as wide as the loads that will read it: a load that is wider than the store before it
 * waits until that store is in the cache, and with it for the misses of the packet before.
 */
static __always_inline void next_flow(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	struct ipv6hdr *ip6 = data + ETH_HLEN;
	/* Volatile, because of a member of a packed structure the compiler makes two stores of four bytes. */
	volatile __u64 *last = (void *)ip6 + offsetof(struct ipv6hdr, saddr) + sizeof(__u64);
	__u32 flow;

	if (!flow_mask || (void *)(ip + 1) > end)
		return;
	flow = flow_of(packet_number++);
	if (ip->version == 4)
		ip->saddr = bpf_htonl(0x0a000000 + flow);
	else if ((void *)(ip6 + 1) <= end)
		*last = flow;
}

SEC("tc")
int bench_empty(struct __sk_buff *skb)
{
	next_flow(skb);
	return -1;
}

SEC("tc")
int bench_flows(struct __sk_buff *skb)
{
	next_flow(skb);
	count_skb(skb, WEIR_INGRESS);
	return -1;
}

#define DEFINE_HASH_COUNTER(name, count) \
	SEC("tc")                        \
	int name(struct __sk_buff *skb)  \
	{                                \
		next_flow(skb);          \
		count;                   \
		return -1;               \
	}

DEFINE_HASH_COUNTER(bench_hash, hash_skb(skb, WEIR_INGRESS, false))
DEFINE_HASH_COUNTER(bench_hash_egress, hash_skb(skb, WEIR_EGRESS, false))
DEFINE_HASH_COUNTER(bench_hash_clock, hash_skb(skb, WEIR_INGRESS, true))
/* Without the short way for usual packets. */
DEFINE_HASH_COUNTER(bench_hash_long, hash_any(skb, WEIR_INGRESS, false))

/* The program that counts drops runs beside it; see `weir bench drops`. */
SEC("tp_btf/kfree_skb")
int bench_empty_drop(__u64 *arguments)
{
	(void)arguments;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
