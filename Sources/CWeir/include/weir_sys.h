/*
 * System calls and memory accesses that Swift cannot express: atomics on memory shared with the
 * kernel, bpf(2) commands that this libbpf does not know, variadic functions.
 *
 * Functions return 0 or a result of 0 or more, or -errno.
 */
#ifndef WEIR_SYS_H
#define WEIR_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir_abi.h"

/* ---- Memory shared with the programs ---------------------------------------------------- */

/* Loads the first word of a slot: state in the high half, interface index in the low half. */
static inline uint64_t weir_slot_head(const struct weir_flow_slot *slot)
{
	return __atomic_load_n((const uint64_t *)slot, __ATOMIC_ACQUIRE);
}

/* Asks for both cache lines of a slot ahead of time. */
static inline void weir_slot_prefetch(const struct weir_flow_slot *slot)
{
	__builtin_prefetch(slot, 1);
	__builtin_prefetch((const char *)slot + sizeof(*slot) / 2, 1);
}

/* Takes a live slot out of use; programs that started earlier may still add to it. */
static inline void weir_slot_retire(struct weir_flow_slot *slot)
{
	__atomic_store_n((uint32_t *)&slot->state, WEIR_SLOT_RETIRED, __ATOMIC_RELEASE);
}

/*
 * Zeroes a retired slot and gives it back; after a grace period only. The bit goes first: once
 * the slot is free a program may claim it and set the bit anew.
 */
static inline void weir_slot_free(struct weir_flow_slot *slot, __u64 *word, uint64_t bit)
{
	__atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);
	__builtin_memset((char *)slot + sizeof(uint64_t), 0, sizeof(*slot) - sizeof(uint64_t));
	__atomic_store_n((uint64_t *)slot, 0, __ATOMIC_RELEASE);
}

/* The home slot of a slot's key; see weir_home_slot. */
static inline uint32_t weir_slot_home(const struct weir_flow_slot *slot,
				      const struct weir_config *config)
{
	__u64 word[WEIR_KEY_WORDS];

	__builtin_memcpy(word, slot, sizeof(word));
	word[0] = slot->ifindex;
	return weir_home_slot(config, word);
}

/* Whether two slots hold the same key. */
static inline int weir_slot_same_key(const struct weir_flow_slot *left,
				     const struct weir_flow_slot *right)
{
	return left->ifindex == right->ifindex &&
	       __builtin_memcmp(left->near_addr, right->near_addr,
				sizeof(struct weir_flow_key) - sizeof(uint64_t)) == 0;
}

/* Adds to what was seen of a slot's flow, as the programs do. */
static inline void weir_slot_add_marks(struct weir_flow_slot *slot, uint32_t marks)
{
	__atomic_fetch_or(&slot->marks, marks, __ATOMIC_RELAXED);
}

/* Reads a counter that a program writes at the same time. */
static inline uint64_t weir_load_u64(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The same for a counter of 32 bits. */
static inline uint32_t weir_load_u32(const __u32 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Publishes an interface table entry: programs see link_header before ifindex. */
static inline void weir_interface_publish(struct weir_interface *entry, uint32_t ifindex)
{
	__atomic_store_n(&entry->ifindex, ifindex, __ATOMIC_RELEASE);
}

/* ---- bpf(2) ----------------------------------------------------------------------------- */

/*
 * Attaches a program to a device with TCX (kernel 6.6) and returns the link's descriptor.
 * direction: WEIR_INGRESS puts it first, WEIR_EGRESS last among the programs there.
 * libbpf 1.1 and the headers of Linux 6.1 know neither the attach types nor the flags.
 */
int weir_tcx_attach(int program, uint32_t ifindex, int direction);

/* ---- Others ----------------------------------------------------------------------------- */

/* The highest number of a CPU that the kernel may ever bring up, plus 1. */
int weir_possible_cpus(void);

/* Whether the calling thread may run on a CPU. */
bool weir_cpu_is_allowed(int cpu);

/* Keeps the calling thread on a CPU; 0 or -errno. */
int weir_cpu_stay(int cpu);

/* The most datagrams that weir_receive takes at once. */
#define WEIR_RECEPTIONS 64

/*
 * Receives the datagrams that are there, up to `most`, without waiting (recvmmsg(2)); each goes to a part
 * of `size` bytes of the buffer, and its length to `lengths`. Returns how many they are.
 */
int weir_receive(int descriptor, void *buffer, size_t size, unsigned most, uint32_t *lengths);

/* Effective capabilities of this process, one bit each (capabilities(7)). */
uint64_t weir_effective_capabilities(void);

#endif
