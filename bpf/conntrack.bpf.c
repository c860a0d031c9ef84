// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Looks connections up in the kernel's connection tracking: many with one system call, some hundred
 * nanoseconds each, where ctnetlink takes microseconds and a message for every one of them.
 *
 * The agent writes questions into the map and runs the program on a packet of its own
 * (BPF_PROG_TEST_RUN); nothing is attached anywhere. Needs bpf_skb_ct_lookup (Linux 5.18), which finds
 * TCP and UDP in zone 0 of the network namespace of the thread that runs the program.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "kernel.h"
#include "map.h"

#define AF_INET 2

/* include/net/netfilter/nf_conntrack_bpf.h: the 12 bytes that every kernel takes. */
struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

#define THIS_NETWORK_NAMESPACE (-1) /* BPF_F_CURRENT_NETNS */

extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
					 __u32 tuple_size, struct bpf_ct_opts *options,
					 __u32 options_size) __ksym;
extern void bpf_ct_release(struct nf_conn *connection) __ksym;

SHARED_ARRAY_MAP(questions, struct weir_conntrack_question, WEIR_CONNTRACK_QUESTIONS);

struct asking {
	struct __sk_buff *skb;
};

static __always_inline struct nf_conn *
find(struct __sk_buff *skb, const struct conntrack_tuple *asked, struct bpf_ct_opts *options)
{
	struct bpf_sock_tuple tuple = {};

	if (asked->family == AF_INET) {
		tuple.ipv4.saddr = asked->source[0];
		tuple.ipv4.daddr = asked->destination[0];
		tuple.ipv4.sport = asked->source_port;
		tuple.ipv4.dport = asked->destination_port;
		return bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), options,
					 sizeof(*options));
	}
	for (int i = 0; i < 4; i++) {
		tuple.ipv6.saddr[i] = asked->source[i];
		tuple.ipv6.daddr[i] = asked->destination[i];
	}
	tuple.ipv6.sport = asked->source_port;
	tuple.ipv6.dport = asked->destination_port;
	return bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv6), options, sizeof(*options));
}

static long answer(__u32 index, void *data)
{
	struct asking *asking = data;
	struct bpf_ct_opts options = { .netns_id = THIS_NETWORK_NAMESPACE };
	struct weir_conntrack_question *question = bpf_map_lookup_elem(&questions, &index);
	struct nf_conn *connection;
	long failure;

	if (!question || question->state != WEIR_CONNTRACK_ASKED)
		return 1;
	options.l4proto = question->original.protocol;
	connection = find(asking->skb, &question->original, &options);
	if (!connection) {
		question->state =
			options.error == -ENOENT ? WEIR_CONNTRACK_UNKNOWN : WEIR_CONNTRACK_FAILED;
		return 0;
	}
	failure = bpf_probe_read_kernel(
		&question->original, sizeof(question->original),
		__builtin_preserve_access_index(&connection->tuplehash[0].tuple));
	failure |= bpf_probe_read_kernel(
		&question->reply, sizeof(question->reply),
		__builtin_preserve_access_index(&connection->tuplehash[1].tuple));
	bpf_ct_release(connection);
	question->state = failure ? WEIR_CONNTRACK_FAILED : WEIR_CONNTRACK_FOUND;
	return 0;
}

SEC("tc")
int weir_conntrack(struct __sk_buff *skb)
{
	struct asking asking = { .skb = skb };

	return bpf_loop(WEIR_CONNTRACK_QUESTIONS, answer, &asking, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
