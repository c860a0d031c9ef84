/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The members of kernel structures that the programs for processes read, by their names only: CO-RE
 * finds the offsets on the running kernel.
 */
#ifndef WEIR_PROCESS_KERNEL_H
#define WEIR_PROCESS_KERNEL_H

#include <linux/types.h>

#include "task_kernel.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/mm_types.h */
struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	struct file *exe_file;
};

/* include/linux/path.h, include/linux/fs.h */
struct path {
	char unused;
};

struct file {
	struct path f_path;
};

/* include/linux/bpf.h, kernel/bpf/task_iter.c */
struct bpf_iter_meta {
	char unused;
};

struct bpf_iter__task {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct task_struct *task;
	};
};

/* include/linux/binfmts.h */
struct linux_binprm {
	const char *interp;
};

#pragma clang attribute pop

#endif
