/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The members of kernel structures that the programs for sockets read, by their names only: CO-RE
 * finds the offsets on the running kernel.
 */
#ifndef WEIR_SOCKET_KERNEL_H
#define WEIR_SOCKET_KERNEL_H

#include <linux/types.h>

#include "kernel.h"
#include "task_kernel.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/uapi/linux/in6.h */
struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

/* include/net/sock.h */
typedef struct {
	__s64 counter;
} atomic64_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
};

struct sock {
	struct sock_common __sk_common;
	struct dst_entry *sk_dst_cache;
	__u16 sk_type;
	__u16 sk_protocol;
};

/* include/net/inet_sock.h, include/net/inet_connection_sock.h */
struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	__u8 icsk_retransmits;
};

/* include/linux/win_minmax.h */
struct minmax_sample {
	__u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

/* include/linux/tcp.h */
struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 segs_in;
	__u32 segs_out;
	__u32 snd_una; /* the first byte that is not acknowledged */
	__u32 snd_cwnd;
	__u32 srtt_us; /* eight times the value */
	__u32 mss_cache;
	__u32 total_retrans; /* cumulative, as the next one */
	__u32 lost;
	struct minmax rtt_min; /* s[0].v; all ones while unset */
};

/* include/linux/net.h */
struct socket {
	struct sock *sk;
};

struct file {
	char unused;
};

/* include/net/rtnetlink.h, include/linux/netdevice.h */
struct rtnl_link_ops {
	char *kind;
};

struct net_device___link {
	struct rtnl_link_ops *rtnl_link_ops;
};

/* include/linux/bpf.h, kernel/bpf/task_iter.c */
struct seq_file {
	char unused;
};

struct bpf_iter_meta {
	union {
		struct seq_file *seq;
	};
};

struct bpf_iter__task_file {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct task_struct *task;
	};
	__u32 fd;
	union {
		struct file *file;
	};
};

#pragma clang attribute pop

/* include/net/tcp_states.h */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_CLOSE 7
#define TCP_LISTEN 10

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262

#endif
