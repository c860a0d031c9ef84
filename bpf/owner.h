/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The owner of a socket: the process that has made, connected or opened it, and its cgroup. The socket
 * stores it.
 */
#ifndef WEIR_OWNER_H
#define WEIR_OWNER_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "map.h"
#include "task_kernel.h"

/* An accepted socket inherits it from its listener. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct weir_socket_storage);
} socket_owners SEC(".maps");

/* Sockets that found no room in the map, owners that found none in the socket, and last reports that
 * found none in the ring. */
SHARED_ARRAY_MAP(socket_losses, __u64, 1);

static __always_inline void count_loss(void)
{
	__u32 zero = 0;
	__u64 *losses = bpf_map_lookup_elem(&socket_losses, &zero);

	if (losses)
		__sync_fetch_and_add(losses, 1);
}

/* The storage of a socket, made if there is none; NULL if the kernel has no memory for it. */
static __always_inline struct weir_socket_storage *storage_of(void *sk)
{
	struct weir_socket_storage *storage =
		bpf_sk_storage_get(&socket_owners, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!storage)
		count_loss();
	return storage;
}

/* The storage of a socket that has one; NULL otherwise. */
static __always_inline struct weir_socket_storage *known_storage_of(void *sk)
{
	return bpf_sk_storage_get(&socket_owners, sk, NULL, 0);
}

static __always_inline void own(struct weir_socket_owner *owner, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	owner->process = BPF_CORE_READ(task, tgid);
	owner->start = BPF_CORE_READ(leader, start_boottime);
	owner->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	bpf_probe_read_kernel_str(owner->name, sizeof(owner->name), leader->comm);
}

#endif
