/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Stands in for libbpf's header of this name, so that bpf/table.h compiles for user space: maps are
 * arrays of the model's world, and a CPU's number is that of the model's thread.
 */
#ifndef SLOT_MODEL_BPF_HELPERS_H
#define SLOT_MODEL_BPF_HELPERS_H

#include <linux/types.h>

#define SEC(name)
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name
#define __array(name, value) typeof(value) *name[]
#undef __always_inline /* of the C library */
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))

void *model_map_lookup(const void *map, __u32 key);
__u32 model_cpu(void);

#define bpf_map_lookup_elem(map, key) model_map_lookup(map, *(key))
#define bpf_get_smp_processor_id() model_cpu()
#define bpf_ktime_get_coarse_ns() 0ULL
#define bpf_ktime_get_ns() 0ULL

#endif
