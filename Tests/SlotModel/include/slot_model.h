/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * An exhaustive check of the slot protocol: every interleaving of a few programs and of the agent.
 *
 * It runs the code that ships: what programs do to slots (bpf/table.h) and the agent's steps
 * (weir_slots.h), compiled for user space. The compiler calls a function before every access to
 * memory (-fsanitize=thread; these functions are the model's, not the sanitizer's); there a thread
 * stops, and the explorer chooses the thread that continues. It goes through all states that can be
 * reached. The agent's order of steps follows FlowTableReader and FlowTable, which are Swift.
 *
 * Memory is sequentially consistent here. Reordering by weaker processors is not explored.
 */
#ifndef SLOT_MODEL_H
#define SLOT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define SLOT_MODEL_CPUS 2
#define SLOT_MODEL_PACKETS 3

/* A packet that a CPU counts. */
struct slot_model_packet {
	uint8_t flow; /* 1 or 2; 0: no packet */
	uint8_t direction; /* WEIR_INGRESS or WEIR_EGRESS */
	bool is_huge; /* two such packets make a lane spill */
	bool is_dropped; /* the program for drops begins the flow if it has no slot, and counts nothing */
};

/* The model to explore. */
struct slot_model {
	struct slot_model_packet packets[SLOT_MODEL_CPUS][SLOT_MODEL_PACKETS];
	uint8_t slots; /* in the table, which is one window: 1, 2 or 4 */
	uint8_t scans; /* of the agent, while packets come */
	bool scans_end_flows; /* every scan ends all flows that it finds */
	bool takes_lanes; /* the agent takes the lanes from their owners before each scan */
	bool owns_nothing; /* no CPU owns a lane (PREEMPT_RT) */
	uint32_t states; /* at most so many */
	/* Mistakes that must be found. */
	bool skips_fence;
	bool skips_owner_fence;
};

/* The result of an exploration. */
struct slot_model_result {
	const char *fault; /* NULL: none */
	uint32_t states; /* that were reached */
	uint32_t depth; /* steps of the longest way */
	uint32_t ends; /* states in which all threads had ended */
	uint32_t duplicates; /* of them: those in which a flow once had two slots */
	bool is_complete; /* false: there are more states than were allowed */
};

/* Adds a packet to those of a CPU, behind the others. */
void slot_model_add(struct slot_model *model, int cpu, struct slot_model_packet packet);

/* Explores all states of the model; not on two threads at a time. */
struct slot_model_result slot_model_run(const struct slot_model *model);

#endif
