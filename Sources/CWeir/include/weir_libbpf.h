/*
 * libbpf functions that take option structs. These must be zero to the last byte of padding
 * (LIBBPF_OPTS), which a copy in Swift does not keep.
 *
 * Functions return 0 or a result of 0 or more, or -errno.
 */
#ifndef WEIR_LIBBPF_H
#define WEIR_LIBBPF_H

#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>

#include "weir_abi.h"

struct bpf_object;

/* Opens an object file in memory; log gets the verifier's log of the load. NULL: see errno. */
struct bpf_object *weir_object_open(const void *bytes, size_t size, char *log, size_t log_size);

/* Creates an array that can be mapped (BPF_F_MMAPABLE); returns its descriptor. */
int weir_array_create(const char *name, uint32_t value_size, uint32_t entries);

/* A frame, and its metadata for the program. */
struct weir_test_frame {
	const void *bytes;
	uint32_t size;
	uint32_t ifindex; /* must exist in this network namespace */
	uint32_t gso_size;
	uint32_t gso_segs;
};

/* Runs a program on a frame, times over; gives its last verdict and the mean time, ns. */
int weir_test_run(int program, const struct weir_test_frame *frame, int times, uint32_t *verdict,
		  uint32_t *nanoseconds);

/* Runs a program of type SYSCALL, which reads its context; its result, or -errno. */
int weir_syscall_run(int program, void *context, size_t size);

/*
 * Opens an iterator over tasks; every descriptor of it is one pass, which reading drives. With a number
 * other than 0 over the task with that number, from Linux 6.1 on. -errno if it cannot be.
 */
int weir_iterator_open(int program, uint32_t task);

/* Adds a clsact qdisc to a device: -EEXIST if it has one, -EBUSY if it has an ingress qdisc. */
int weir_clsact_create(uint32_t ifindex);

/* Removes the clsact qdisc of a device, with all its filters. */
int weir_clsact_destroy(uint32_t ifindex);

/* One filter on a clsact qdisc. */
struct weir_clsact_filter {
	uint32_t ifindex;
	int direction; /* WEIR_INGRESS or WEIR_EGRESS */
	uint32_t handle;
	uint32_t priority;
};

/* Adds a filter, or replaces the one with the same handle and priority. */
int weir_clsact_attach(const struct weir_clsact_filter *filter, int program);

/* Removes a filter. */
int weir_clsact_detach(const struct weir_clsact_filter *filter);

/* The number of a filter's program; -ENOENT if there is no such filter, -EINVAL if no qdisc. */
int weir_clsact_program(const struct weir_clsact_filter *filter);

/* Whether the clsact qdisc of a device has any filter in a direction: 1, 0, or -errno. */
int weir_clsact_has_filters(uint32_t ifindex, int direction);

#endif
