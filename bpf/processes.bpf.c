// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The program that a process runs, and its arguments, as they were when the program began: a process
 * that lives for a millisecond is gone before the agent can look it up.
 *
 * Two programs run at exec, no packet and no other system call costs anything. Arguments hold secrets:
 * unless they are wanted, neither their program nor their map exists. The agent looks up only the
 * processes that have flows. While such a process lives, an iterator over tasks finds its executable:
 * /proc shows it only to those that may trace the process.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "map.h"
#include "process_kernel.h"

/* By the number of the process (tgid), and by the group of its cgroup. */
RECENT_MAP(process_paths, __u32, struct weir_process_text, WEIR_PROCESSES);
ARRAY_MAP(process_path_groups, struct weir_process_group, WEIR_PROCESS_GROUPS);

/* The process whose executable the agent requests. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weir_process_text);
} process_request SEC(".maps");

RECENT_MAP(process_arguments, __u32, struct weir_process_text, WEIR_PROCESSES);
ARRAY_MAP(process_argument_groups, struct weir_process_group, WEIR_PROCESS_GROUPS);

static __always_inline __u64 start_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, group_leader, start_boottime);
}

/* Stores the text of the process that a task is of. */
static __always_inline void store(void *all, void *groups, struct task_struct *task,
				  struct weir_process_text *value)
{
	__u32 group = weir_process_group_of(BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id));
	struct weir_process_group *last = bpf_map_lookup_elem(groups, &group);

	value->start = start_of(task);
	value->process = BPF_CORE_READ(task, tgid);
	bpf_map_update_elem(all, &value->process, value, BPF_ANY);
	if (last)
		last->texts[__sync_fetch_and_add(&last->next, 1) & (WEIR_PROCESS_PLACES - 1)] =
			*value;
}

SEC("tp_btf/sched_process_exec")
int weir_process_path(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct linux_binprm *binary = (void *)ctx[2];
	struct weir_process_text value = {};
	long size;

	/* For a script this is the interpreter. */
	size = bpf_probe_read_kernel_str(value.text, sizeof(value.text),
					 BPF_CORE_READ(binary, interp));
	value.size = size > 0 ? size - 1 : 0;
	store(&process_paths, &process_path_groups, task, &value);
	return 0;
}

/* Fills the request of the agent, if the task is of that process. */
SEC("iter/task")
int weir_process_find(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct weir_process_text *request;
	struct mm_struct *memory;
	struct file *file;
	__u32 process;
	long size;

	if (!task)
		return 0;
	process = task->tgid;
	request = bpf_map_lookup_elem(&process_request, &process);
	if (!request || request->size || request->start != start_of(task))
		return 0;
	memory = task->mm;
	if (!memory)
		return 0;
	file = memory->exe_file;
	if (!file)
		return 0;
	/* With the 0 at its end; negative if it is too long. */
	size = bpf_d_path(&file->f_path, request->text, sizeof(request->text));
	if (size > 1)
		request->size = size - 1;
	return 0;
}

SEC("tp_btf/sched_process_exec")
int weir_process_arguments(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct weir_process_text value = {};
	__u64 first = BPF_CORE_READ(task, mm, arg_start);
	__u64 size = BPF_CORE_READ(task, mm, arg_end) - first;

	if (size > sizeof(value.text))
		size = sizeof(value.text);
	if (bpf_probe_read_user(value.text, size, (void *)first))
		size = 0;
	value.size = size;
	store(&process_arguments, &process_argument_groups, task, &value);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
