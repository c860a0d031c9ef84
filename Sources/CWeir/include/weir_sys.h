/*
 * System calls that Swift cannot express: bpf(2) commands that this libbpf lacks, variadic
 * functions.
 *
 * Functions return 0 or a result of 0 or more, or -errno.
 */
#ifndef WEIR_SYS_H
#define WEIR_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir_abi.h"

/* ---- bpf(2) ----------------------------------------------------------------------------- */

/* The interface of a TCX link (0: not attached any more), and the number of its program. */
int weir_tcx_state(int link, uint32_t *ifindex, uint32_t *program);

/*
 * Attaches a program to a device with TCX (kernel 6.6) and returns the link's descriptor.
 * direction: WEIR_INGRESS puts it first, WEIR_EGRESS last among the programs there.
 * libbpf 1.1 and the headers of Linux 6.1 lack the attach types and the flags.
 */
int weir_tcx_attach(int program, uint32_t ifindex, int direction);

/* Replaces the program of a link, atomically. */
int weir_link_update(int link, int program);

/* Whether a path is on a BPF file system. */
bool weir_is_bpffs(const char *path);

/* ---- Others ----------------------------------------------------------------------------- */

/* The number of the calling thread's network namespace, which is never used again (kernel 5.14). */
int weir_netns_cookie(uint64_t *cookie);

/* The highest number of a CPU that the kernel may ever bring up, plus 1. */
int weir_possible_cpus(void);

/* Whether the calling thread may run on a CPU. */
bool weir_cpu_is_allowed(int cpu);

/* Keeps the calling thread on a CPU; 0 or -errno. */
int weir_cpu_stay(int cpu);

/* The most datagrams that weir_receive takes at once. */
#define WEIR_RECEPTIONS 64

/*
 * Receives waiting datagrams, up to `most`, without waiting (recvmmsg(2)); each goes to a part
 * of `size` bytes of the buffer, and its length to `lengths`. Returns their number.
 */
int weir_receive(int descriptor, void *buffer, size_t size, unsigned most, uint32_t *lengths);

/* Effective capabilities of this process, one bit each (capabilities(7)). */
uint64_t weir_effective_capabilities(void);

/*
 * Keeps these capabilities and gives up all others, in the calling thread and in those that it
 * starts; no program that they execute gains any. Returns 0 or -errno.
 */
int weir_keep_capabilities(uint64_t kept);

/*
 * Whether the clock is synchronized (adjtimex(2)): 1 and the largest error in microseconds, 0 if
 * it is not, or -errno.
 */
int weir_clock_is_kept(int64_t *error_us);

#endif
