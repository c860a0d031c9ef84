/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The contract between the BPF programs (bpf/) and the agent (Sources/Datapath): every struct,
 * number and function that both sides must agree on, defined once. BPF C includes this file, and
 * Swift sees it through the CWeir module.
 *
 * A change of any layout raises WEIR_ABI_VERSION.
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

#include <linux/types.h>

#define WEIR_ABI_VERSION 3

/* ---- Directions ------------------------------------------------------------------------- */

/* Index of every per-direction pair: as the interface sees it, not as the connection does. */
#define WEIR_INGRESS 0 /* the packet enters the node through the interface */
#define WEIR_EGRESS 1 /* the packet leaves the node through the interface */
#define WEIR_DIRECTIONS 2

/* ---- Flow identity ---------------------------------------------------------------------- */

/*
 * What makes two packets of one interface the same flow. The ends are named as the interface
 * sees them, so both directions of a connection have the same key without comparing addresses:
 * "near" is the end on the wire side of the interface (source of ingress, destination of
 * egress), "far" is the end behind the node's stack.
 *
 * Addresses are the 16 bytes in network order; IPv4 is ::ffff:a.b.c.d.
 * TCP, UDP, SCTP: ports in network order. ICMP and ICMPv6: near_port is the identifier of a
 * query (else 0), far_port is htons(type << 8 | code), replies folded onto their request's type.
 * Every other protocol, a packet that does not have its ports, and a fragment whose first fragment
 * was not seen: both 0.
 */
struct weir_flow_key {
	__u32 ifindex;
	__u32 pad0; /* 0; holds weir_flow_slot.state in the table */
	__u64 near_addr[2];
	__u64 far_addr[2];
	__be16 near_port;
	__be16 far_port;
	__u8 protocol; /* IANA protocol number of the layer above IP */
	__u8 pad1; /* 0 */
	__u16 interface; /* position in the interface table; follows from ifindex */
};

/* The six words of a key: what is hashed and compared. */
#define WEIR_KEY_WORDS 6

/* ---- Flow marks ------------------------------------------------------------------------- */

/*
 * What has been seen of a flow, or-ed together over its packets. Bits 0-7: TCP flags (RFC 9293
 * section 3.1, low byte) of ingress packets; bits 8-15: of egress packets.
 */
#define WEIR_MARK_TCP_FLAGS(direction) (8 * (direction))
#define WEIR_MARK_OPENED_INGRESS (1U << 16) /* initiator's packet: SYN without ACK, ICMP query */
#define WEIR_MARK_OPENED_EGRESS (1U << 17)
#define WEIR_MARK_ACCEPTED_INGRESS (1U << 18) /* responder's packet: SYN with ACK, ICMP reply */
#define WEIR_MARK_ACCEPTED_EGRESS (1U << 19)
#define WEIR_MARK_FIRST_EGRESS (1U << 20) /* the first packet that was seen was egress */

/* ---- Flow table ------------------------------------------------------------------------- */

enum weir_slot_state : __u32 {
	WEIR_SLOT_FREE = 0, /* all bytes are 0; a program may claim it */
	WEIR_SLOT_CLAIMED = 1, /* a program is writing the key */
	WEIR_SLOT_LIVE = 2, /* programs add to it */
	WEIR_SLOT_RETIRED = 3, /* programs pass over it; the agent reads the rest and frees it */
};

/*
 * One flow of one interface: two cache lines of the table, a BPF_F_MMAPABLE array. Programs
 * move FREE -> CLAIMED -> LIVE, the agent LIVE -> RETIRED -> FREE. While a slot lives its
 * counters only grow (packets modulo 2^32). "written by" below: P programs, A the agent.
 */
struct weir_flow_slot {
	__u32 ifindex; /* P */
	__u32 state; /* P, A: enum weir_slot_state */
	__u64 near_addr[2]; /* P, like the rest of the key */
	__u64 far_addr[2];
	__be16 near_port;
	__be16 far_port;
	__u8 protocol;
	__u8 pad1;
	__u16 interface;
	__u64 born; /* P: ns, CLOCK_MONOTONIC, when the slot was claimed */
	__u32 marks; /* P: WEIR_MARK_* */
	__u32 changed; /* A: when the counters were last seen to move; 0: not seen yet */
	/* second cache line */
	__u64 bytes[WEIR_DIRECTIONS]; /* P: IP bytes on the wire */
	__u64 reported_bytes[WEIR_DIRECTIONS]; /* A: what has been drained of them */
	__u32 packets[WEIR_DIRECTIONS]; /* P: packets on the wire */
	__u32 reported_packets[WEIR_DIRECTIONS]; /* A */
	__u64 pad2[2]; /* 0 */
};

/*
 * Beside the table lies one bit for each slot, in words of 64: a program sets it when the slot has
 * become LIVE, the agent clears it before the slot becomes FREE. A scan follows the bits, so that
 * it costs by the flows and not by the size of the table.
 */
#define WEIR_OCCUPIED_SHIFT 6

/* A flow's slot is one of the WEIR_WINDOW slots that start at its hash. */
#define WEIR_WINDOW 8

#define WEIR_MIN_SLOTS 1024
#define WEIR_MAX_SLOTS 16777216
#define WEIR_DEFAULT_SLOTS 131072

/* ---- Overflow --------------------------------------------------------------------------- */

/* What became of the packet of a ring record. */
enum weir_event_kind : __u8 {
	WEIR_EVENT_PACKET = 0, /* it crossed the interface */
	WEIR_EVENT_DENIED = 1, /* it was dropped by decision */
	WEIR_EVENT_DENIED_UNCOUNTED = 2, /* the same, on its way in, before it was counted */
};

/* Ring record: a packet that found no slot in its window. The agent adds these up by key. */
struct weir_overflow_event {
	struct weir_flow_key key;
	__u64 bytes; /* IP bytes on the wire */
	__u32 packets; /* packets on the wire */
	__u32 marks; /* WEIR_MARK_* of this packet */
	__u8 direction; /* WEIR_INGRESS or WEIR_EGRESS */
	__u8 kind; /* enum weir_event_kind */
	__u16 reason; /* why it was dropped: enum skb_drop_reason of the running kernel */
	__u32 pad; /* 0 */
};

/* The agent is woken when this much of the ring is filled (1/8); else it comes by itself. */
#define WEIR_RING_WAKEUP_SHIFT 3

/* ---- Drops ------------------------------------------------------------------------------ */

/* What a reason for a drop means to the programs; the agent fills weir_drop_config with it. */
#define WEIR_DROP_IGNORED 0
#define WEIR_DROP_TROUBLE 1 /* nobody wanted it */
#define WEIR_DROP_DECISION 2 /* somebody decided it */
#define WEIR_DROP_CLASS 3 /* mask of the above */
#define WEIR_DROP_BEFORE_INGRESS 4 /* falls before the ingress program has counted the packet */
#define WEIR_DROP_AT_SOCKET 8 /* by a socket, which may have had a copy of the packet only */
#define WEIR_DROP_BY_PLACE 16 /* the reason says nothing; only the known places mean something */

/* Reasons that the programs know apart; further ones, and those of subsystems, are ignored. */
#define WEIR_DROP_REASONS 256

/* What was dropped by decision is counted in one of these lanes. */
#define WEIR_DROP_INGRESS 0 /* entered, and was counted on the interface before */
#define WEIR_DROP_EGRESS 1 /* was to leave */
#define WEIR_DROP_UNCOUNTED 2 /* entered, and was not counted before (XDP) */
#define WEIR_DROP_LANES 3

/*
 * What was dropped of the flow in the slot of the same index: an array beside the flow table.
 * Programs add, the agent exchanges for 0; so what is left is what was not drained yet. Beside it
 * lies one bit for each slot, as for the flow table: a program sets it after it has added, the
 * agent clears it before it drains.
 */
struct weir_drop_slot {
	__u64 bytes[WEIR_DROP_LANES]; /* IP bytes on the wire, dropped by decision */
	__u32 packets[WEIR_DROP_LANES];
	__u32 trouble[WEIR_DIRECTIONS]; /* packets that nobody decided to drop */
	__u8 decision; /* the last reason of a decision: enum skb_drop_reason */
	__u8 trouble_reason; /* the last other one */
	/*
	 * Where the last denied packet that had entered was on its way to behind destination NAT, the
	 * address in the form of weir_flow_key, the port in host order; port 0: to where the key says.
	 * Connection tracking forgets what it did to the first packet of a connection if that packet
	 * is dropped.
	 */
	__u16 destination_port;
	__u64 destination[2];
};

/* ---- Interfaces and their account ------------------------------------------------------- */

/*
 * The interfaces that are watched: an open-addressing table, indexed by the low bits of the
 * ifindex, window of WEIR_INTERFACE_WINDOW. Only the agent writes it.
 */
#define WEIR_MAX_INTERFACES 1024
#define WEIR_INTERFACE_WINDOW 8

struct weir_interface {
	__u32 ifindex; /* 0: free */
	__u32 link_header; /* enum weir_link_header */
};

enum weir_link_header : __u32 {
	WEIR_LINK_ETHERNET = 0, /* frames start with an Ethernet header */
	WEIR_LINK_NONE = 1, /* frames start with the IP header (tun, wireguard, ipip, ppp) */
};

/* Packets and bytes, on the wire. */
struct weir_pair {
	__u64 packets;
	__u64 bytes;
};

/* Why a packet could not be parsed. */
enum weir_unparsed : __u32 {
	WEIR_UNPARSED_LINK = 0, /* link or VLAN header cut off, or more than eight VLAN tags */
	WEIR_UNPARSED_NETWORK = 1, /* IP header cut off, or of the wrong version */
	WEIR_UNPARSED_EXTENSION = 2, /* IPv6 extension headers in unreadable memory */
	WEIR_UNPARSED_TRANSPORT = 3, /* transport header in unreadable memory */
	WEIR_UNPARSED_REASONS = 4,
};

/*
 * What one interface carried in one direction, as one CPU saw it (no other CPU writes it, so
 * plain additions are exact). IP packets and IP bytes on the wire; frames and frame bytes for
 * not_ip and unparsed, and for their part of seen.
 *
 *     seen = flows + overflow + not_ip + unparsed + lost
 *
 * where "flows" is what the agent drained from the interface's slots, and "overflow" what it took
 * out of the ring: so the sum closes only if nothing fell between kernel and agent.
 */
struct weir_account {
	struct weir_pair seen; /* everything */
	struct weir_pair skb; /* the same packets as `ip -s link` has them: one per skb */
	struct weir_pair lost; /* found no slot and the ring full */
	struct weir_pair not_ip;
	struct weir_pair unparsed;
	__u64 unparsed_reason[WEIR_UNPARSED_REASONS]; /* frames; adds up to unparsed.packets */
	struct weir_pair denied; /* dropped by decision, whether it is in seen or not */
};

/*
 * What else is counted of the drops of an interface, beside weir_account.denied:
 *
 *     denied = drops of slots + drops of the ring + lost
 */
struct weir_drop_interface {
	__u32 ifindex; /* of the interface whose drops are counted; 0: none. Written by the agent */
	__u32 pad;
	__u64 unparsed; /* dropped packets of an interesting reason whose flow is unknown */
	struct weir_pair lost[WEIR_DIRECTIONS]; /* denied; found no slot and the ring full */
	__u64 pad1[2]; /* 0 */
};

/* An element of the account map: index = interface position * number of CPUs + CPU. */
struct weir_interface_account {
	struct weir_account direction[WEIR_DIRECTIONS];
};

/* ---- Configuration ---------------------------------------------------------------------- */

#define WEIR_HASH_KEYS (2 * WEIR_KEY_WORDS)

/* Read-only for the programs; the agent writes it before it loads them. */
struct weir_config {
	__u64 hash_multiplier; /* random, odd */
	__u32 hash_key[WEIR_HASH_KEYS]; /* random */
	__u32 slot_mask; /* number of slots - 1 */
	__u32 slot_shift; /* 64 - log2(number of slots) */
	__u32 cpus; /* possible CPUs: stride of the account map */
	__u32 ring_wakeup; /* bytes waiting in the overflow ring that wake the agent */
};

/* A function of the kernel that drops packets without a reason, though it has one. */
struct weir_drop_place {
	__u64 start; /* its first address; 0: none */
	__u64 end; /* behind its last one */
	__u16 reason; /* what it means: index of the counts and reasons */
	__u8 kind; /* WEIR_DROP_* */
	__u8 pad[5]; /* 0 */
};

#define WEIR_DROP_PLACES 8

/* The same for the program that counts drops. */
struct weir_drop_config {
	__u32 netns; /* inode number of the network namespace; indices mean nothing without it */
	__u32 reasons; /* stride of the map of counts: the highest reason that is not ignored + 1 */
	struct weir_drop_place place[WEIR_DROP_PLACES]; /* those that there are come first */
	__u8 kind[WEIR_DROP_REASONS]; /* WEIR_DROP_* by reason */
};

/*
 * The home slot of a key. NH (RFC 4418 section 5.2.2), a keyed universal hash: for any two keys
 * the chance to collide over a random hash_key is at most 2^-32, so nobody who does not know
 * the key can aim flows at one window. The sum is then mixed by multiply-shift.
 */
static inline __attribute__((always_inline)) __u32
weir_home_slot(const volatile struct weir_config *config, const __u64 *word)
{
	__u64 sum = 0;

	for (int i = 0; i < WEIR_KEY_WORDS; i++) {
		__u32 low = (__u32)word[i] + config->hash_key[2 * i];
		__u32 high = (__u32)(word[i] >> 32) + config->hash_key[2 * i + 1];

		sum += (__u64)low * high;
	}
	sum ^= sum >> 32;
	return (__u32)((sum * config->hash_multiplier) >> config->slot_shift);
}

#ifdef __cplusplus
#define WEIR_ASSERT(what) static_assert(what, #what)
#else
#define WEIR_ASSERT(what) _Static_assert(what, #what)
#endif
WEIR_ASSERT(sizeof(struct weir_flow_key) == 48);
WEIR_ASSERT(sizeof(struct weir_flow_slot) == 128);
WEIR_ASSERT(__builtin_offsetof(struct weir_flow_slot, born) == sizeof(struct weir_flow_key));
WEIR_ASSERT(__builtin_offsetof(struct weir_flow_slot, bytes) == 64);
WEIR_ASSERT(sizeof(struct weir_overflow_event) == 72);
WEIR_ASSERT(sizeof(struct weir_account) == 128);
WEIR_ASSERT(sizeof(struct weir_drop_slot) == 64);
WEIR_ASSERT(sizeof(struct weir_drop_interface) == 64);

#endif
