/*
 * The compiled BPF programs (bpf/objects), embedded in the binary.
 */
#ifndef WEIR_OBJECTS_H
#define WEIR_OBJECTS_H

#include <stddef.h>

/* An ELF file in memory; lives as long as the process. */
struct weir_object {
	const void *bytes;
	size_t size;
};

/* bpf/weir.bpf.c: the flow counter. */
struct weir_object weir_object_flows(void);

/* bpf/bench.bpf.c: the baselines for measurements of the flow counter. */
struct weir_object weir_object_bench(void);

/* bpf/conntrack.bpf.c: looks connections up. */
struct weir_object weir_object_conntrack(void);

/* bpf/sockets.bpf.c: reads the statistics of TCP sockets. */
struct weir_object weir_object_sockets(void);

/* bpf/socket_pass.bpf.c: looks at all TCP sockets, where the kernel can do so by plain loads. */
struct weir_object weir_object_socket_pass(void);

/* bpf/dns.bpf.c: counts packets with DNS messages, and copies the messages. */
struct weir_object weir_object_dns(void);

/* bpf/processes.bpf.c: stores the programs of processes. */
struct weir_object weir_object_processes(void);

/* bpf/datagrams.bpf.c: reads the owners of UDP sockets. */
struct weir_object weir_object_datagrams(void);

#endif
