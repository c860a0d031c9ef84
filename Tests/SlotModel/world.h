/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The world of the model: the memory that programs and agent share, what really happened, and the
 * threads, in one piece, so that a state is a copy of it.
 */
#ifndef SLOT_MODEL_WORLD_H
#define SLOT_MODEL_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <ucontext.h>

#include "slot_model.h"
#include "weir_abi.h"

#define MODEL_SLOTS 4
#define MODEL_KEYS 2
#define MODEL_THREADS (SLOT_MODEL_CPUS + 1) /* the last one is the agent */
#define MODEL_AGENT SLOT_MODEL_CPUS
#define MODEL_STACK 8192

/* What programs and agent share. Every access to it is a step. */
struct model_memory {
	struct weir_flow_slot flows[MODEL_SLOTS];
	struct weir_flow_rest rest[MODEL_SLOTS];
	__u64 occupied;
	struct weir_interface interface;
	struct weir_table_use use;
};

/* Counts of one flow, by direction. */
struct model_counts {
	uint64_t bytes[WEIR_DIRECTIONS];
	uint64_t packets[WEIR_DIRECTIONS];
};

struct model_thread {
	ucontext_t context;
	bool is_done;
	bool is_running; /* a program, from its first step to its last */
	uint8_t runs; /* programs that were started */
	uint8_t fence[SLOT_MODEL_CPUS]; /* agent: runs that it waits for; 0: none */
	_Alignas(16) unsigned char stack[MODEL_STACK];
};

struct model_world {
	struct model_memory memory;
	/* The agent's own memory: of each slot what was drained, and the flow that it belongs to. */
	struct weir_flow_taken taken[MODEL_SLOTS];
	uint8_t flow_of_number[MODEL_SLOTS]; /* key + 1 */
	bool is_mapped[MODEL_SLOTS]; /* the agent can reach the rest of the slot */
	/* What really happened. */
	struct model_counts sent[MODEL_KEYS];
	struct model_counts drained[MODEL_KEYS];
	struct model_counts overflow[MODEL_KEYS];
	const char *fault;
	bool duplicates; /* a flow had two slots */
	struct model_thread thread[MODEL_THREADS];
};

extern struct model_world world;
extern const volatile struct weir_config *model_config; /* in program.c */
extern struct weir_flow_key model_keys[MODEL_KEYS];

/* Two huge packets set the highest bit for bytes of a lane. */
static inline uint64_t model_bytes(const struct slot_model_packet *packet)
{
	return packet->is_huge ? 1ULL << (WEIR_LANE_BYTES_BITS - 2) : 100;
}

/* The CPU's thread: runs the program on a packet. */
void model_program(const struct slot_model_packet *packet);

/* One scan of the agent; it ends all flows if is_ending. */
void model_scan(const struct slot_model *model, bool is_ending);

/* Lets the agent wait until every program that runs has ended. */
void model_fence(void);

/* Records a fault; the first one stays. */
void model_fault(const char *what);

#endif
