/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The few kernel structures that the programs read beyond __sk_buff, by the names of their
 * members only: CO-RE finds the offsets on the running kernel.
 */
#ifndef WEIR_KERNEL_H
#define WEIR_KERNEL_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/skbuff.h */
struct sk_buff {
	unsigned char *head;
	unsigned char *data;
	__u32 end; /* sk_buff_data_t: an offset from head on 64-bit kernels */
	__u16 inner_transport_header;
};

struct skb_shared_info {
	unsigned int gso_type;
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

/*
 * Before Linux 6.6 the verifier takes a call that falls through to the head of a loop for an
 * endless loop ("back-edge"); so loops around calls are unrolled.
 */
#define UNROLLED _Pragma("clang loop unroll(full)")

#endif
