/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Declarations of maps, whose type, size and elements libbpf reads from BTF (bpf_helpers.h). Sizes that
 * depend on the machine or on settings are set by the agent before it makes the maps.
 */
#ifndef WEIR_MAP_H
#define WEIR_MAP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* An array with elements of a type. */
#define ARRAY_MAP(name, element, entries)         \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, entries);     \
		__type(key, __u32);               \
		__type(value, element);           \
	} name SEC(".maps")

/* An array that the agent has in its memory, too. */
#define SHARED_ARRAY_MAP(name, element, entries)   \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, entries);      \
		__type(key, __u32);                \
		__type(value, element);            \
	} name SEC(".maps")

/* A hash map that evicts the least recently used element when it is full. */
#define RECENT_MAP(name, index, element, entries)    \
	struct {                                     \
		__uint(type, BPF_MAP_TYPE_LRU_HASH); \
		__uint(max_entries, entries);        \
		__type(key, index);                  \
		__type(value, element);              \
	} name SEC(".maps")

/* A ring of records to the agent. */
#define RING_MAP(name, bytes)                       \
	struct {                                    \
		__uint(type, BPF_MAP_TYPE_RINGBUF); \
		__uint(max_entries, bytes);         \
	} name SEC(".maps")

/* Programs to continue with (tail calls). */
#define PROGRAM_MAP(name, entries)                     \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY); \
		__uint(max_entries, entries);          \
		__type(key, __u32);                    \
		__type(value, __u32);                  \
	} name SEC(".maps")

#endif
