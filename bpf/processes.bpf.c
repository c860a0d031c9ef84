// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The program that a process runs, and its arguments, as they were when the program began: a process
 * that lives for a millisecond is gone before the agent can look it up in /proc.
 *
 * Both programs run at exec, no packet and no other system call costs anything. Arguments hold secrets:
 * unless they are collected, neither their program nor their map exists. The agent looks up only the
 * processes that have flows.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "map.h"
#include "process_kernel.h"

/* By the number of the process (tgid). */
RECENT_MAP(process_paths, __u32, struct weir_process_text, WEIR_PROCESSES);

RECENT_MAP(process_arguments, __u32, struct weir_process_text, WEIR_PROCESSES);

static __always_inline __u64 start_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, group_leader, start_boottime);
}

SEC("tp_btf/sched_process_exec")
int weir_process_path(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct linux_binprm *binary = (void *)ctx[2];
	struct weir_process_text value = {};
	__u32 process = BPF_CORE_READ(task, tgid);
	long size;

	/* For a script this is the interpreter. */
	size = bpf_probe_read_kernel_str(value.text, sizeof(value.text),
					 BPF_CORE_READ(binary, interp));
	value.start = start_of(task);
	value.size = size > 0 ? size - 1 : 0;
	bpf_map_update_elem(&process_paths, &process, &value, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int weir_process_arguments(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct weir_process_text value = {};
	__u32 process = BPF_CORE_READ(task, tgid);
	__u64 first = BPF_CORE_READ(task, mm, arg_start);
	__u64 size = BPF_CORE_READ(task, mm, arg_end) - first;

	if (size > sizeof(value.text))
		size = sizeof(value.text);
	if (bpf_probe_read_user(value.text, size, (void *)first))
		size = 0;
	value.start = start_of(task);
	value.size = size;
	bpf_map_update_elem(&process_arguments, &process, &value, BPF_ANY);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
