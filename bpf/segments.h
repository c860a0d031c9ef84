/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The packets that a super-packet becomes on the wire, each with its own copy of the headers.
 */
#ifndef WEIR_SEGMENTS_H
#define WEIR_SEGMENTS_H

#include <linux/udp.h>
#include <bpf/bpf_core_read.h>

#include "packet_bytes.h"

static __always_inline struct sk_buff *kernel_skb_of(const struct packet_bytes *bytes)
{
	return bytes->is_dropped ? bytes->dropped : (void *)bytes->skb;
}

static __always_inline struct skb_shared_info *shared_info(struct sk_buff *skb)
{
	return (void *)BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end);
}

/*
 * Bytes from the start of the IP packet to the payload that a super-packet cuts into segments,
 * where tunnel headers lie between: up to the end of the inner transport header.
 */
static __always_inline __u32 tunnel_headers(const struct packet_bytes *bytes,
					    const struct layout *layout, __u32 gso_type)
{
	struct sk_buff *kernel_skb = kernel_skb_of(bytes);
	__u32 inner = BPF_CORE_READ(kernel_skb, inner_transport_header);
	__u64 start = bytes->is_dropped ? bytes->start : (__u64)BPF_CORE_READ(kernel_skb, data);
	__u32 headroom = start - (__u64)BPF_CORE_READ(kernel_skb, head);
	__u32 size = sizeof(struct udphdr);

	if (inner <= headroom + layout->transport || inner > headroom + layout->end)
		return 0; /* never set: a packet that was merged on receive */
	inner -= headroom;
	if (gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) {
		__u8 data_offset;

		if (!copy_bytes(bytes, inner + 12, &data_offset, sizeof(data_offset)))
			return 0;
		size = (data_offset >> 4) * 4;
	}
	return inner + size - layout->network;
}

/*
 * Counts a super-packet as on the wire: gso_segs packets, each with its own copy of the headers.
 * gso_segs is 0 where the maker of the super-packet did not count.
 */
static __always_inline void count_segments(const struct packet_bytes *bytes,
					   const struct layout *layout, __u32 transport_header,
					   struct packet *packet)
{
	struct skb_shared_info *shared = shared_info(kernel_skb_of(bytes));
	__u32 gso_type = BPF_CORE_READ(shared, gso_type);
	__u32 headers = layout->transport - layout->network + transport_header;
	__u32 length = layout->end - layout->network;
	__u32 segments = bytes->is_dropped ? bytes->gso_segs : skb_gso_segs(bytes->skb);
	__u32 size = bytes_gso_size(bytes);
	__u32 fragment_header = 0;

	if (gso_type & SKB_GSO_TUNNELS) {
		__u32 with_tunnel = tunnel_headers(bytes, layout, gso_type);

		if (with_tunnel)
			headers = with_tunnel;
	}
	if (gso_type & SKB_GSO_UDP) {
		/* Fragments repeat the IP header only; those of IPv6 have a header of their own. */
		headers = layout->transport - layout->network;
		fragment_header = is_ipv4(packet) ? 0 : 8;
		segments = 0;
	}
	if (!segments)
		segments = length > headers && size ? (length - headers + size - 1) / size : 1;
	if (segments > most_segments(length))
		segments = most_segments(length);
	headers -= layout->offload_header;
	length -= layout->offload_header;
	packet->wire.packets = segments;
	packet->wire.bytes = length + (__u64)(segments - 1) * headers + segments * fragment_header;
}

#endif
