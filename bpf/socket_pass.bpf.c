// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A pass over all sockets that reads them by plain loads. It uses the maps of sockets.bpf.c, whose own
 * program takes twice the time for each socket.
 *
 * An object of its own, because the kernel function that it needs is in Linux 6.2 and later only: where
 * it is missing, libbpf looks for it in all modules, which requires CAP_SYS_ADMIN.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define SOCKET_IS_TYPED true
#include "socket_pass.h"

/* Gives an address a type (kernel/bpf/verifier.c). */
extern void *bpf_rdonly_cast(const void *address, __u32 type) __ksym;

static __always_inline struct tcp_sock *socket_at(__u64 key)
{
	return bpf_rdonly_cast((void *)key, bpf_core_type_id_kernel(struct tcp_sock));
}

char _license[] SEC("license") = "Dual BSD/GPL";
