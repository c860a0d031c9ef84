/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The few kernel structures that the programs read beyond __sk_buff, by the names of their
 * members only: CO-RE finds the offsets on the running kernel.
 */
#ifndef WEIR_KERNEL_H
#define WEIR_KERNEL_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/ns_common.h, include/net/net_namespace.h */
struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

/* include/linux/netdevice.h */
struct net_device {
	int ifindex;
	possible_net_t nd_net;
};

/* include/net/dst.h */
struct dst_entry {
	struct net_device *dev;
};

/* include/net/sock.h */
struct sock_common___net {
	possible_net_t skc_net;
};

struct sock___net {
	struct sock_common___net __sk_common;
};

/* include/linux/skbuff.h */
struct sk_buff {
	struct net_device *dev;
	struct sock___net *sk;
	unsigned long _skb_refdst;
	unsigned long _nfct;
	unsigned int len;
	unsigned int data_len;
	int skb_iif;
	__be16 protocol;
	unsigned char *head;
	unsigned char *data;
	__u32 end; /* sk_buff_data_t: an offset from head on 64-bit kernels */
	__u16 inner_transport_header;
	__u16 network_header;
};

struct skb_shared_info {
	unsigned short gso_size;
	unsigned short gso_segs;
	unsigned int gso_type;
};

/* include/net/netfilter/nf_conntrack.h; in the BTF of a module where conntrack is one */
struct nf_conntrack_tuple {
	char unused;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2];
};

#pragma clang attribute pop

/* Bits of skb_shared_info.gso_type (include/linux/skbuff.h). */
#define SKB_GSO_TCPV4 (1U << 0)
#define SKB_GSO_TCPV6 (1U << 4)
#define SKB_GSO_GRE (1U << 6)
#define SKB_GSO_GRE_CSUM (1U << 7)
#define SKB_GSO_IPXIP4 (1U << 8)
#define SKB_GSO_IPXIP6 (1U << 9)
#define SKB_GSO_UDP_TUNNEL (1U << 10)
#define SKB_GSO_UDP_TUNNEL_CSUM (1U << 11)
#define SKB_GSO_UDP (1U << 16) /* one datagram, to be cut into IP fragments */
#define SKB_GSO_UDP_L4 (1U << 17)

#define SKB_GSO_TUNNELS                                                                          \
	(SKB_GSO_GRE | SKB_GSO_GRE_CSUM | SKB_GSO_IPXIP4 | SKB_GSO_IPXIP6 | SKB_GSO_UDP_TUNNEL | \
	 SKB_GSO_UDP_TUNNEL_CSUM)

/* include/net/net_namespace.h: the loopback device has this index in every namespace. */
#define LOOPBACK_IFINDEX 1

/* include/linux/skbuff.h: what the low bits of the pointers in an skb mean. */
#define SKB_DST_NOREF 1UL
#define SKB_NFCT_INFO 7UL /* mask: enum ip_conntrack_info */
#define IP_CT_IS_REPLY 3

/*
 * Before Linux 6.6 the verifier takes a call that falls through to the head of a loop for an
 * endless loop ("back-edge"); so loops around calls are unrolled.
 */
#define UNROLLED _Pragma("clang loop unroll(full)")

/* For the order of the machine code: what is likely runs straight on. */
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#endif
