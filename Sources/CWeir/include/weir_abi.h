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

#define WEIR_ABI_VERSION 6

/* ---- Directions ------------------------------------------------------------------------- */

/* Index of every per-direction pair: as the interface sees it, not as the connection does. */
#define WEIR_INGRESS 0 /* the packet enters the node through the interface */
#define WEIR_EGRESS 1 /* the packet leaves the node through the interface */
#define WEIR_DIRECTIONS 2

/* ---- Flow identity ---------------------------------------------------------------------- */

/*
 * The key of a flow: packets of one interface with the same key are one flow. The ends are named as the interface
 * sees them, so both directions of a connection have the same key without comparing addresses:
 * "near" is the end on the wire side of the interface (source of ingress, destination of
 * egress), "far" is the end behind the node's stack.
 *
 * The first 8 bytes, the head, are loaded and compared at once. state is the one that the flow's
 * slot has while it lives, so IPv4 and IPv6 differ in the head: an IPv6 packet from
 * ::ffff:a.b.c.d never meets a flow of the IPv4 address a.b.c.d.
 *
 * Addresses are in network order. IPv6: addr[0..1] is near, addr[2..3] is far. IPv4: addr[1] is
 * near in its first four bytes and far in the others; the other words are 0.
 * TCP, UDP, SCTP: ports in network order. ICMP and ICMPv6: near_port is the identifier of a
 * query (else 0), far_port is htons(type << 8 | code), replies folded onto their request's type.
 * Every other protocol, a packet that does not have its ports, and a fragment whose first fragment
 * was not seen: both 0.
 */
struct weir_flow_key {
	__be16 near_port;
	__be16 far_port;
	__u8 protocol; /* IANA protocol number of the layer above IP */
	__u8 state; /* WEIR_SLOT_LIVE_V4 or WEIR_SLOT_LIVE_V6 */
	__u16 interface; /* position in the interface table; used again when its flows have ended */
	__u64 addr[4];
};

/* The number of words of a key: the head and the addresses. Below: the words that IPv4 flows use. */
#define WEIR_KEY_WORDS 5
#define WEIR_KEY_WORD_HEAD 0
#define WEIR_KEY_WORD_V4 2 /* both addresses */

/* ---- Flow marks ------------------------------------------------------------------------- */

/*
 * Marks of a flow, or-ed together over its packets. Bits 0-7: TCP flags (RFC 9293
 * section 3.1, low byte) of ingress packets; bits 8-15: of egress packets.
 */
#define WEIR_MARK_TCP_FLAGS(direction) (8 * (direction))
#define WEIR_MARK_OPENED_INGRESS (1U << 16) /* initiator's packet: SYN without ACK, ICMP query */
#define WEIR_MARK_OPENED_EGRESS (1U << 17)
#define WEIR_MARK_ACCEPTED_INGRESS (1U << 18) /* responder's packet: SYN with ACK, ICMP reply */
#define WEIR_MARK_ACCEPTED_EGRESS (1U << 19)
#define WEIR_MARK_FIRST_EGRESS (1U << 20) /* the first packet that was seen was egress */
#define WEIR_MARK_SHARED (1U << 21) /* not set by packets: weir_flow_rest has counts */
#define WEIR_MARK_EARLY (1U << 22) /* set by the agent: claimed when watching had just begun */
#define WEIR_MARKS 0x1fffff /* mask of the marks that packets set */

/* ---- Flow table ------------------------------------------------------------------------- */

/*
 * The life of a slot. A program claims a slot (compare-and-swap on bytes 4 to 7), writes
 * everything else, and publishes the head last. The agent retires a slot by setting one bit of
 * its state, waits until every program that was running has ended, reads what is left, and gives
 * the slot back, zeroed.
 *
 *   FREE ──┐                                                    ┌──▶ FREE       next is FREE
 *          ├─program─▶ CLAIMED ─program─▶ LIVE ─agent─▶ RETIRED ┤
 *   TOMB ──┘                                                    └──▶ TOMBSTONE  else
 *
 * A search for a flow starts at its home and ends at the first FREE slot, or at the end of its
 * window: no slot between a flow's home and its slot may become FREE. So a slot that is given
 * back becomes a TOMBSTONE, which is passed and may be claimed, unless the slot behind it is
 * FREE. Where a program and the agent race for this, a flow may be claimed a second time; the
 * agent merges the two.
 */
enum weir_slot_state : __u8 {
	WEIR_SLOT_FREE = 0, /* never used since the slots behind it were; all bytes are 0 */
	WEIR_SLOT_CLAIMED = 1, /* a program is writing the slot */
	WEIR_SLOT_LIVE_V4 = 2, /* programs add to it */
	WEIR_SLOT_LIVE_V6 = 3,
	WEIR_SLOT_TOMBSTONE = 4, /* all other bytes are 0 */
	WEIR_SLOT_RETIRED_V4 = 6, /* programs pass over it; the agent reads the rest */
	WEIR_SLOT_RETIRED_V6 = 7,
};

#define WEIR_SLOT_RETIRED 4 /* the bit that retires a live slot */
#define WEIR_HEAD_STATE_SHIFT 40 /* of the state in the head, little-endian */

/*
 * One flow of one interface, the hot line: all that a packet of a known flow touches of the
 * table. "flows" is a BPF_F_MMAPABLE array of these. Written by programs but for the state and
 * the owners that the agent hands on.
 *
 *   byte  0          8                        40        48        56      60
 *        | ports,   | addresses              | lane    | lane    | marks | owners
 *        | state,   |                        | ingress | egress  | and birth (split)
 *        | interface|
 *
 * A lane is the packets and bytes of one direction in one word, so that one aligned load gives
 * both as of the same moment. Each direction has an owner: the CPU that adds to its lane, with a
 * plain load and store, because nothing on that CPU interrupts a program there (both hooks run
 * with bottom halves off). All other CPUs, and all CPUs where that premise does not hold
 * (PREEMPT_RT), add atomically to weir_flow_rest and set WEIR_MARK_SHARED.
 */
struct weir_flow_slot {
	__be16 near_port; /* this and the next ones: as in weir_flow_key */
	__be16 far_port;
	__u8 protocol;
	__u8 state; /* enum weir_slot_state */
	__u16 interface;
	__u64 addr[4];
	__u64 lane[WEIR_DIRECTIONS]; /* WEIR_LANE_* */
	__u32 marks; /* WEIR_MARK_*, and the high bits of the birth */
	__u32 owner; /* of ingress, of egress, and the low bits of the birth */
};

/*
 * Bytes in the low bits of a lane, packets above. When the highest bit of either is set the
 * owner moves the lane into weir_flow_rest (after 64 GiB or 67 M packets), so that a slow agent
 * loses nothing.
 */
#define WEIR_LANE_BYTES_BITS 37
#define WEIR_LANE_BYTES ((1ULL << WEIR_LANE_BYTES_BITS) - 1) /* mask */
#define WEIR_LANE_SPILLS (1ULL << 63 | 1ULL << (WEIR_LANE_BYTES_BITS - 1)) /* either bit */

#define WEIR_OWNER_BITS 12
#define WEIR_OWNER_MASK 0xfff
#define WEIR_OWNER_NONE 0 /* the next CPU may become the owner; else the CPU's number + 1 */
#define WEIR_OWNER_CHANGING 0xfff /* none, while the agent waits for programs of the last one */
#define WEIR_OWNER_CPUS 4094 /* CPUs from this number on never own */

/*
 * The time when the slot was claimed: CLOCK_MONOTONIC in units of 2^24 ns (16.8 ms), modulo
 * 2^17 (36 minutes); the low bits in owner, the high ones in marks.
 */
#define WEIR_BIRTH_UNIT_SHIFT 24
#define WEIR_BIRTH_LOW_BITS 8
#define WEIR_BIRTH_HIGH_BITS 9
#define WEIR_BIRTH_OWNER_SHIFT 24
#define WEIR_BIRTH_MARKS_SHIFT 23

/*
 * The cold line, in "flow_rest" at the same index: the counts of other CPUs than the owner,
 * and the spilled counts. A flow's counts are the sum of both lines. A reader that finds spills[] odd,
 * or another number after it has read both, has met a spill and reads again.
 */
struct weir_flow_rest {
	__u64 bytes[WEIR_DIRECTIONS]; /* P, atomic */
	__u32 packets[WEIR_DIRECTIONS]; /* P, atomic; modulo 2^32 */
	__u32 spills[WEIR_DIRECTIONS]; /* P: twice the number of spills; odd during one */
};

/*
 * The times of the TCP handshake of the flow in the slot of the same index: an array beside the
 * flow table, with one element where handshakes are not timed. Beside it lies one bit for each slot, as
 * for the flow table: a program sets it when the handshake is complete, the agent clears it. Times
 * are rounded up to the next microsecond; 0: not yet.
 */
struct weir_handshake {
	__u64 opened; /* when the slot was claimed by a SYN, CLOCK_MONOTONIC ns; 0: by another packet */
	__u32 accepted; /* microseconds from then to the first SYN-ACK of the other end */
	__u32 completed; /* microseconds from then to the first ACK of the end that opened */
};

/* The state of a flow in the agent's own memory, at the same index. */
struct weir_flow_taken {
	__u64 bytes[WEIR_DIRECTIONS]; /* the drained part of the flow's counts */
	__u32 packets[WEIR_DIRECTIONS];
	__u32 changed; /* ms: when the counts were last seen to move; 0: slot not seen yet */
	__u16 foreign[WEIR_DIRECTIONS]; /* rest.packets / 64 at the last scan; or 1: empty */
};

/*
 * Beside the table lies one bit for each slot, in words of 64: a program sets it when the slot has
 * become LIVE, the agent clears it before the slot becomes FREE. A scan follows the bits, so that
 * it costs by the flows and not by the size of the table.
 */
#define WEIR_OCCUPIED_SHIFT 6

/* A flow's slot is one of the WEIR_WINDOW slots that start at its hash. */
#define WEIR_WINDOW 16

#define WEIR_MIN_SLOTS 1024
#define WEIR_MAX_SLOTS 16777216
#define WEIR_DEFAULT_SLOTS 131072

/* ---- Overflow --------------------------------------------------------------------------- */

/* The fate of the packet of a ring record. */
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

/* The class of a reason for a drop; the agent fills weir_drop_config with it. */
#define WEIR_DROP_IGNORED 0
#define WEIR_DROP_TROUBLE 1 /* a failure */
#define WEIR_DROP_DECISION 2 /* a decision, such as a policy's */
#define WEIR_DROP_CLASS 3 /* mask of the above */
#define WEIR_DROP_BEFORE_INGRESS 4 /* dropped before the ingress program has counted it */
#define WEIR_DROP_AT_SOCKET 8 /* by a socket, which may have had a copy of the packet only */
#define WEIR_DROP_BY_PLACE 16 /* the reason is not specific; only drops at known places count */
#define WEIR_DROP_ON_EGRESS 32 /* by a program on the egress of the interface */

/* Reasons that the programs count separately; further ones, and those of subsystems, are ignored. */
#define WEIR_DROP_REASONS 256

/* Packets that were dropped by decision are counted in one of these lanes. */
#define WEIR_DROP_INGRESS 0 /* entered, and was counted on the interface before */
#define WEIR_DROP_EGRESS 1 /* was to leave */
#define WEIR_DROP_UNCOUNTED 2 /* entered, and was not counted before (XDP) */
#define WEIR_DROP_LANES 3

/*
 * The drops of the flow in the slot of the same index: an array beside the flow table.
 * Programs add, the agent exchanges for 0; the rest is what was not drained yet. Beside it
 * lies one bit for each slot, as for the flow table: a program sets it after it has added, the
 * agent clears it before it drains.
 */
struct weir_drop_slot {
	__u64 bytes[WEIR_DROP_LANES]; /* IP bytes on the wire, dropped by decision */
	__u32 packets[WEIR_DROP_LANES];
	__u32 failures[WEIR_DIRECTIONS]; /* packets dropped by a failure */
	__u8 decision; /* the last reason of a decision: enum skb_drop_reason */
	__u8 failure_reason; /* the last reason of a failure */
	/*
	 * The destination after destination NAT of the last denied packet that had entered: the address
	 * as 16 bytes, IPv4 as ::ffff:a.b.c.d, the port in host order; port 0: the destination of the key.
	 * Connection tracking discards the translation of the first packet of a connection if that
	 * packet is dropped.
	 */
	__u16 destination_port;
	__u64 destination[2];
};

/* ---- Interfaces, their account and their shares ----------------------------------------- */

/*
 * The interfaces that are watched: an open-addressing table, indexed by the low bits of the
 * ifindex, window of WEIR_INTERFACE_WINDOW. A position has one weir_account for each CPU and
 * direction, and one weir_interface.
 */
#define WEIR_MAX_INTERFACES 1024
#define WEIR_INTERFACE_WINDOW 8

/* weir_account.flags */
#define WEIR_INTERFACE_IS_UPPER 1U /* no program is attached: its packets are counted below it */
#define WEIR_INTERFACE_HAS_UPPER 2U /* packets that enter may continue under an upper's index */
#define WEIR_INTERFACE_EGRESS_FIRST 4U /* no other program runs on egress before Weir's */
#define WEIR_INTERFACE_IS_WORKLOAD 8U /* a workload is behind it */

enum weir_link_header : __u32 {
	WEIR_LINK_ETHERNET = 0, /* frames start with an Ethernet header */
	WEIR_LINK_NONE = 1, /* frames start with the IP header (tun, wireguard, ipip, ppp) */
};

/*
 * An upper device (bridge, bond, VLAN, macvlan, VRF) and the watched interfaces below it, by the
 * position of the upper device in the interface table. A packet that is dropped behind an upper
 * device carries its index, but was counted at one of the lower interfaces. Only the agent writes.
 */
#define WEIR_MAX_LOWERS 16

struct weir_upper {
	__u32 lowers; /* the number of set elements of `lower` */
	__u32 is_complete; /* 1: every device below is watched */
	__u16 lower[WEIR_MAX_LOWERS]; /* positions in the interface table; the first few of many */
	__u64 pad[3]; /* 0 */
};

/* The packet that a CPU counted last on ingress, of interfaces with WEIR_INTERFACE_HAS_UPPER. */
struct weir_last_skb {
	__u64 skb; /* its address */
	__u32 position; /* of the interface that it entered through */
	__u32 pad;
	__u64 pad1[6]; /* a cache line for each CPU */
};

/* Packets and bytes, on the wire. */
struct weir_pair {
	__u64 packets;
	__u64 bytes;
};

/* The reasons why a packet could not be parsed. */
enum weir_unparsed : __u32 {
	WEIR_UNPARSED_LINK = 0, /* link or VLAN header cut off, or more than eight VLAN tags */
	WEIR_UNPARSED_NETWORK = 1, /* IP header cut off, or of the wrong version */
	WEIR_UNPARSED_EXTENSION = 2, /* IPv6 extension headers in unreadable memory */
	WEIR_UNPARSED_TRANSPORT = 3, /* transport header in unreadable memory */
	WEIR_UNPARSED_REASONS = 4,
};

/*
 * The traffic of one interface in one direction, as one CPU saw it: no other CPU writes it, so
 * plain additions are exact, on the same premise as a flow's lane. Index in the map: (position *
 * CPUs + CPU) * WEIR_DIRECTIONS + direction. One cache line, with all that a packet needs of its
 * interface. IP packets and IP bytes on the wire; frames and frame bytes for what is not IP or
 * cannot be parsed.
 *
 *     seen = flows + overflow + remainder + not_ip + unparsed
 *
 * where "flows" is what the agent drained from the interface's slots, and "overflow" what it took
 * out of the ring: so the sum closes only if nothing fell between kernel and agent. The agent
 * moves counts that it has no room for from "overflow" to its own part of "remainder".
 */
struct weir_account {
	__u32 ifindex; /* of the interface at this position; 0: none. Written by the agent */
	__u32 link_header; /* enum weir_link_header; written by the agent */
	struct weir_pair seen; /* everything */
	struct weir_pair skb; /* the same packets as `ip -s link` has them: one per skb */
	struct weir_pair denied; /* dropped by decision, whether it is in seen or not; atomic */
	__u32 flags; /* WEIR_INTERFACE_*; written by the agent */
	/*
	 * The CPU's number + 1, by which it owns lanes. 0: it cannot own a lane, and its additions
	 * here must be atomic (PREEMPT_RT, or a number that has no room in a slot). Written by the
	 * agent before ifindex.
	 */
	__u32 owner;
};

/*
 * The rest of an interface's account, and its shares of what all interfaces share: slots and
 * ring. All CPUs write it, with atomic additions, but never for a packet of a known flow. Index in
 * the map: position.
 *
 * An interface may always hold as many slots as its share says, and more while the table as a
 * whole holds fewer than weir_config.slot_limit; slots above that limit are reserved
 * for interfaces below their share. The same applies to records in the ring.
 */
struct weir_interface {
	__u32 slots; /* slots of its flows: programs add, the agent subtracts */
	__u32 slots_share; /* written by the agent */
	__u32 ring; /* records in the ring: programs add, the agent subtracts */
	__u32 ring_share; /* written by the agent */
	struct weir_pair remainder[WEIR_DIRECTIONS]; /* no room in the table nor in the ring */
	struct weir_pair not_ip[WEIR_DIRECTIONS];
	struct weir_pair unparsed[WEIR_DIRECTIONS];
	__u64 unparsed_reason[WEIR_DIRECTIONS][WEIR_UNPARSED_REASONS]; /* frames */
	__u64 pad[10]; /* 0 */
};

/* The used part of the table: the one element of the map "table_use". */
struct weir_table_use {
	__u32 slots; /* the sum of weir_interface.slots */
	__u32 pad; /* 0 */
};

/*
 * Further counts of the drops of an interface, beside weir_account.denied:
 *
 *     denied = drops of slots + drops of the ring + remainder
 */
struct weir_drop_interface {
	__u32 ifindex; /* of the interface whose drops are counted; 0: none. Written by the agent */
	__u32 pad;
	__u64 unparsed; /* dropped packets of an interesting reason whose flow is unknown */
	struct weir_pair remainder[WEIR_DROP_LANES]; /* denied; found no slot and no ring */
};

/* ---- Configuration ---------------------------------------------------------------------- */

#define WEIR_HASH_KEYS (2 * WEIR_KEY_WORDS)

/* Read-only for the programs; the agent writes it before it loads them. */
struct weir_config {
	__u64 hash_multiplier; /* random, odd */
	__u64 hash_key[WEIR_HASH_KEYS]; /* random */
	__u32 slot_mask; /* number of slots - 1 */
	__u32 slot_shift; /* 64 - log2(number of slots) */
	__u32 cpus; /* possible CPUs: stride of the account map */
	__u32 ring_wakeup; /* bytes waiting in the overflow ring that wake the agent */
	__u32 slot_limit; /* used slots above which interfaces are limited to their shares */
	__u32 ring_limit; /* used bytes of the ring above which the same applies */
	__u32 is_preemptible; /* PREEMPT_RT: no lane has an owner, every addition is atomic */
	__u32 handshakes; /* whether TCP handshakes are timed */
};

/* A function of the kernel that drops packets for a known reason, but does not set it. */
struct weir_drop_place {
	__u64 start; /* its first address; 0: none */
	__u64 end; /* behind its last one */
	__u16 reason; /* the reason of its drops: index of the counts and reasons */
	__u8 kind; /* WEIR_DROP_* */
	__u8 pad[5]; /* 0 */
};

#define WEIR_DROP_PLACES 8

/* The same for the program that counts drops. */
struct weir_drop_config {
	__u32 netns; /* inode number of the network namespace; indices are valid only in it */
	__u32 reasons; /* stride of the map of counts: the highest reason that is not ignored + 1 */
	struct weir_drop_place place[WEIR_DROP_PLACES]; /* the used ones come first */
	__u8 kind[WEIR_DROP_REASONS]; /* WEIR_DROP_* by reason */
};

/* One term of the hash: the two halves of a word of the key, each with a hash key of its own. */
static inline __attribute__((always_inline)) __u64
weir_hash_term(const volatile struct weir_config *config, int word, __u32 low, __u32 high)
{
	return (low + config->hash_key[2 * word]) * (high + config->hash_key[2 * word + 1]);
}

static inline __attribute__((always_inline)) __u64
weir_hash_word(const volatile struct weir_config *config, const __u64 *word, int index)
{
	return weir_hash_term(config, index, (__u32)word[index], word[index] >> 32);
}

/*
 * The home slot for a sum of terms. The xor and the multiplication spread keys that follow each
 * other, as ports and addresses do.
 */
static inline __attribute__((always_inline)) __u32
weir_hash_home(const volatile struct weir_config *config, __u64 sum)
{
	sum ^= sum >> 32;
	return (__u32)((sum * config->hash_multiplier) >> config->slot_shift);
}

/*
 * The home slot of a key: a keyed universal hash over every word that is compared (NH, RFC 4418
 * section 5.2.2, with keys of 64 bits as in Lemire and Kaser's Multilinear-HM), mixed by
 * multiply-shift. For any two keys the chance of the same sum over a random hash_key is at most
 * 2^-33, so that flows cannot be aimed at one window without the keys.
 */
static inline __attribute__((always_inline)) __u32
weir_home_slot(const volatile struct weir_config *config, const __u64 *word)
{
	__u64 sum = weir_hash_word(config, word, WEIR_KEY_WORD_HEAD) +
		    weir_hash_word(config, word, WEIR_KEY_WORD_V4);

	if ((word[WEIR_KEY_WORD_HEAD] >> WEIR_HEAD_STATE_SHIFT & 1) != (WEIR_SLOT_LIVE_V4 & 1))
		sum += weir_hash_word(config, word, 1) + weir_hash_word(config, word, 3) +
		       weir_hash_word(config, word, 4);
	return weir_hash_home(config, sum);
}

#ifdef __cplusplus
#define WEIR_ASSERT(what) static_assert(what, #what)
#else
#define WEIR_ASSERT(what) _Static_assert(what, #what)
#endif
WEIR_ASSERT(sizeof(struct weir_flow_key) == 8 * WEIR_KEY_WORDS);
WEIR_ASSERT(sizeof(struct weir_flow_slot) == 64);
WEIR_ASSERT(__builtin_offsetof(struct weir_flow_slot, lane) == sizeof(struct weir_flow_key));
WEIR_ASSERT(sizeof(struct weir_flow_rest) == 32);
WEIR_ASSERT(sizeof(struct weir_flow_taken) == 32);
WEIR_ASSERT(sizeof(struct weir_overflow_event) == 64);
WEIR_ASSERT(sizeof(struct weir_account) == 64);
WEIR_ASSERT(sizeof(struct weir_interface) == 256);
WEIR_ASSERT(sizeof(struct weir_drop_slot) == 64);
WEIR_ASSERT(sizeof(struct weir_drop_interface) == 64);
WEIR_ASSERT(sizeof(struct weir_upper) == 64);
WEIR_ASSERT(sizeof(struct weir_last_skb) == 64);

/* ---- Connection tracking ---------------------------------------------------------------- */

/*
 * One direction of a connection as its packets arrive, before they are translated: the kernel's struct
 * nf_conntrack_tuple, which has been the same in every kernel. IPv4: the first word of an address.
 */
struct conntrack_tuple {
	__u32 source[4];
	__be16 source_port; /* ICMP: identifier */
	__u16 family; /* AF_INET, AF_INET6 */
	__u32 destination[4];
	__be16 destination_port; /* ICMP: type, code */
	__u8 protocol;
	__u8 direction; /* 0: the original one; in a question 0 */
};

enum weir_conntrack_state : __u32 {
	WEIR_CONNTRACK_END = 0, /* no question, and none behind it */
	WEIR_CONNTRACK_ASKED = 1,
	WEIR_CONNTRACK_FOUND = 2,
	WEIR_CONNTRACK_UNKNOWN = 3, /* there is no such connection */
	WEIR_CONNTRACK_FAILED = 4, /* the kernel gave no answer */
};

/* A question for a connection of TCP or UDP, and its answer in the same place. */
struct weir_conntrack_question {
	struct conntrack_tuple original; /* in: packets of either end */
	struct conntrack_tuple reply; /* out */
	__u32 state; /* enum weir_conntrack_state */
	__u32 pad; /* 0: elements of an array are multiples of 8 */
};

/* Questions that one run of the program answers: meanwhile its CPU serves no soft interrupts. */
#define WEIR_CONNTRACK_QUESTIONS 256
WEIR_ASSERT(sizeof(struct conntrack_tuple) == 40);
WEIR_ASSERT(sizeof(struct weir_conntrack_question) == 88);

/* ---- Rings that interfaces share -------------------------------------------------------- */

/*
 * The share of one interface in a ring. Up to `share` it always has room; up to a quarter of the ring
 * while the ring is less than half full. So no interface takes the room of others. Index: position.
 */
struct weir_ring_share {
	__u32 bytes; /* since the agent has read the ring; the agent exchanges it for 0 */
	__u32 share; /* written by the agent */
	__u64 lost; /* records that found no room */
};

WEIR_ASSERT(sizeof(struct weir_ring_share) == 16);

/* ---- Sockets ---------------------------------------------------------------------------- */

/* The owner of a socket. */
struct weir_socket_owner {
	__u64 start; /* of the process, ns since boot: distinguishes it from others with the same number */
	__u64 cgroup; /* its number in the hierarchy of cgroup v2; 0: not known */
	__u32 process; /* its number (tgid) in the first PID namespace; 0: not known */
	__u32 pad; /* 0 */
	char name[16]; /* of its first thread (comm), ends with the first 0 */
};

/* What a socket itself stores; an accepted socket begins with a copy of its listener's. */
struct weir_socket_storage {
	struct weir_socket_owner owner;
	__u32 lost; /* segments that the socket's earlier connections lost */
	__u32 ifindex; /* the interface of its connection, which found no room in the table; 0: none */
	__u32 flags; /* of that connection: WEIR_SOCKET_* */
	__u32 pad; /* 0 */
};

/* weir_socket_report.flags */
#define WEIR_SOCKET_IS_HOST 1U /* it is in the agent's network namespace: the far end of the flow */
#define WEIR_SOCKET_HAS_SAMPLE 2U /* the connection was established: the gauges are valid */
#define WEIR_SOCKET_IS_DATAGRAM 4U /* UDP: reports only the owner, once for each flow */

/* A socket, and the place of its flow. */
struct weir_socket {
	__be32 local[4]; /* IPv4: ::ffff:a.b.c.d */
	__be32 remote[4];
	__be16 local_port;
	__be16 remote_port;
	__u32 ifindex; /* the node's interface that its packets cross */
	__u32 flags; /* WEIR_SOCKET_* */
	__u32 pad; /* 0 */
	struct weir_socket_owner owner;
};

/* The sum, the smallest and the largest of the samples of a gauge. */
struct weir_gauge {
	__u32 sum; /* a sample with which it would not fit is left out */
	__u32 smallest;
	__u32 largest;
};

enum weir_socket_gauge {
	WEIR_GAUGE_WINDOW, /* congestion window, segments */
	WEIR_GAUGE_RTT, /* smoothed, us */
	WEIR_GAUGE_MIN_RTT, /* us */
	WEIR_GAUGE_MSS, /* bytes */
	WEIR_GAUGES,
};

/* The samples of a socket's gauges. */
struct weir_socket_gauges {
	struct weir_gauge values[WEIR_GAUGES];
	__u16 samples[WEIR_GAUGES]; /* how many: a gauge that is not known has none */
};

/* The report of a TCP socket: samples and counts since its last report. */
struct weir_socket_report {
	struct weir_socket of;
	struct weir_socket_gauges gauges;
	__u32 retransmissions; /* segments */
	__u32 lost; /* segments */
	__u32 timeouts; /* expiries of the retransmission timer */
	__u32 pad; /* 0 */
};

/* Read-only for the programs; the agent writes it before it loads them. */
struct weir_socket_config {
	__u32 netns; /* inode number of the agent's network namespace */
	__u32 pad; /* 0 */
};

/* The argument of the program that looks at all sockets. */
struct weir_socket_pass {
	__u32 number; /* of the pass: it looks at each socket once */
	__u32 reports; /* 1: what is new of each socket is reported; 0: its gauges are sampled only */
	__u32 has_more; /* 0; result 1: the ring is half full, run it again with the same number */
	__u32 pad; /* 0 */
};

/* Established sockets that are kept at the same time, and bytes of the ring. */
#define WEIR_MAX_SOCKETS 65536
#define WEIR_SOCKET_RING 4194304

/*
 * The shares of one interface in the kept sockets and in the ring. Index: position. Two more shares are
 * those of all interfaces that are not watched, and of all sockets whose reports are not used.
 */
struct weir_socket_share {
	struct weir_ring_share kept; /* bytes: sockets */
	struct weir_ring_share ring;
};

#define WEIR_SOCKET_SHARE_UNWATCHED WEIR_MAX_INTERFACES
#define WEIR_SOCKET_SHARE_SILENT (WEIR_MAX_INTERFACES + 1)
#define WEIR_SOCKET_SHARES (WEIR_MAX_INTERFACES + 2)

/* Bytes of the ring for owners of UDP sockets; the agent is woken when an eighth is filled. */
#define WEIR_DATAGRAM_RING 262144

WEIR_ASSERT(sizeof(struct weir_socket_owner) == 40);
WEIR_ASSERT(sizeof(struct weir_socket_storage) == 56);
WEIR_ASSERT(sizeof(struct weir_socket) == 88);
WEIR_ASSERT(sizeof(struct weir_socket_gauges) == 56);
WEIR_ASSERT(sizeof(struct weir_socket_report) == 160);

/* ---- Processes -------------------------------------------------------------------------- */

/* Processes whose program is stored, and stored bytes of a path or of arguments. */
#define WEIR_PROCESSES 4096
#define WEIR_PROCESS_TEXT 256

/* The program or the arguments with which a process was started. */
struct weir_process_text {
	__u64 start; /* of the process, as in weir_socket_owner */
	__u32 size; /* of the text */
	__u32 process; /* its number (tgid) */
	char text[WEIR_PROCESS_TEXT]; /* a path, or arguments, each of which ends with 0 */
};

/*
 * The texts of the last processes of a group of cgroups. A cgroup that starts many processes evicts those
 * of all others from the map of all, but here only those of its group.
 */
#define WEIR_PROCESS_GROUPS 64
#define WEIR_PROCESS_PLACES 16

/* The group of a cgroup, whose numbers often differ by even steps. */
static inline __u32 weir_process_group_of(__u64 cgroup)
{
	return (__u32)cgroup * 0x9e3779b1U >> 26;
}

struct weir_process_group {
	__u32 next; /* counts the stored texts */
	__u32 pad; /* 0 */
	struct weir_process_text texts[WEIR_PROCESS_PLACES];
};

WEIR_ASSERT(sizeof(struct weir_process_text) == 272);
WEIR_ASSERT(sizeof(struct weir_process_group) == 8 + WEIR_PROCESS_PLACES * 272);

/* ---- DNS -------------------------------------------------------------------------------- */

#define WEIR_DNS_PORT 53

/*
 * A DNS message over UDP of the client behind an interface, on its way to a server or back. The
 * payload follows: `copied` bytes of it, in a record of the ring that has room for one of the sizes.
 */
struct weir_dns_message {
	__u64 time; /* CLOCK_MONOTONIC, ns */
	__be32 source[4]; /* IPv4: in the first word */
	__be32 destination[4];
	__be16 source_port;
	__be16 destination_port;
	__u32 ifindex;
	__u16 length; /* bytes of the whole payload */
	__u16 copied;
	__u8 version; /* of IP: 4 or 6 */
	__u8 direction; /* WEIR_INGRESS or WEIR_EGRESS */
	__u16 pad; /* 0 */
	__u32 arrival; /* the interface through which it came to this host; 0: it is this host's own */
	__u32 pad2; /* 0 */
};

/* Bytes of payload that a record has room for. Most messages fit into the largest, the usual
 * size of EDNS (dnsflagday.net/2020). Longer messages are cut. */
#define WEIR_DNS_SMALL 128
#define WEIR_DNS_MEDIUM 512
#define WEIR_DNS_LARGE 1232

/* Bytes of the ring; the agent is woken when an eighth is filled. */
#define WEIR_DNS_RING 1048576

/*
 * Ports from which the client on an interface sent queries: port << 16 | time, in units of 2^28 ns
 * (0.27 s). For each value of the low bits there are places for the last few ports, the newest one first.
 * Responses to other ports are not copied, so that a flood of them takes no room of the client. Index: the
 * position of a workload's interface; one element is that of all interfaces of the host, because the
 * response may arrive through another one than the query left by (bonds, several routes).
 */
#define WEIR_DNS_CLIENT_HOST WEIR_MAX_INTERFACES
#define WEIR_DNS_CLIENTS (WEIR_MAX_INTERFACES + 1)
#define WEIR_DNS_PORTS 128
#define WEIR_DNS_PORTS_ALIKE 4
#define WEIR_DNS_TIME_SHIFT 28
#define WEIR_DNS_PATIENCE 38 /* units: slightly more than the agent's 10 s */

struct weir_dns_asked {
	__u32 port[WEIR_DNS_PORTS][WEIR_DNS_PORTS_ALIKE];
};

WEIR_ASSERT(sizeof(struct weir_dns_message) == 64);

#endif
