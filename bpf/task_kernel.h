/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The members of a task that the programs for owners of sockets and for processes read, by their names only:
 * CO-RE finds the offsets on the running kernel.
 */
#ifndef WEIR_TASK_KERNEL_H
#define WEIR_TASK_KERNEL_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/kernfs.h, include/linux/cgroup-defs.h */
struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

/* include/linux/sched.h */
struct task_struct {
	struct mm_struct *mm;
	struct css_set *cgroups;
	int tgid;
	__u64 start_boottime;
	struct task_struct *group_leader;
	char comm[16];
};

#pragma clang attribute pop

/* include/linux/net.h */
#define SOCK_STREAM 1
#define SOCK_DGRAM 2

#endif
