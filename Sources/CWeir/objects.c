#include "weir_objects.h"

/* An ELF header is read in place: 8-byte alignment. */
static const unsigned char flows[] __attribute__((aligned(8))) = {
#embed "weir.bpf.o"
};

static const unsigned char bench[] __attribute__((aligned(8))) = {
#embed "bench.bpf.o"
};

static const unsigned char conntrack[] __attribute__((aligned(8))) = {
#embed "conntrack.bpf.o"
};

static const unsigned char sockets[] __attribute__((aligned(8))) = {
#embed "sockets.bpf.o"
};

static const unsigned char socket_pass[] __attribute__((aligned(8))) = {
#embed "socket_pass.bpf.o"
};

static const unsigned char dns[] __attribute__((aligned(8))) = {
#embed "dns.bpf.o"
};

static const unsigned char processes[] __attribute__((aligned(8))) = {
#embed "processes.bpf.o"
};

static const unsigned char datagrams[] __attribute__((aligned(8))) = {
#embed "datagrams.bpf.o"
};

struct weir_object weir_object_flows(void)
{
	return (struct weir_object){ flows, sizeof(flows) };
}

struct weir_object weir_object_bench(void)
{
	return (struct weir_object){ bench, sizeof(bench) };
}

struct weir_object weir_object_conntrack(void)
{
	return (struct weir_object){ conntrack, sizeof(conntrack) };
}

struct weir_object weir_object_sockets(void)
{
	return (struct weir_object){ sockets, sizeof(sockets) };
}

struct weir_object weir_object_socket_pass(void)
{
	return (struct weir_object){ socket_pass, sizeof(socket_pass) };
}

struct weir_object weir_object_dns(void)
{
	return (struct weir_object){ dns, sizeof(dns) };
}

struct weir_object weir_object_processes(void)
{
	return (struct weir_object){ processes, sizeof(processes) };
}

struct weir_object weir_object_datagrams(void)
{
	return (struct weir_object){ datagrams, sizeof(datagrams) };
}
