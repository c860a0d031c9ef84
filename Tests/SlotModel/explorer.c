// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Goes through all states: from each one every thread that can go on makes one step, and a state
 * that was met before is not followed again.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* names of registers */
#endif
#include "explorer.h"

#include <stdlib.h>
#include <string.h>

#include "world.h"

#pragma clang attribute push(__attribute__((disable_sanitizer_instrumentation)), \
			     apply_to = function)

struct model_world world;
struct weir_flow_key model_keys[MODEL_KEYS];

static const struct slot_model *model;
static ucontext_t explorer;
static int current = -1; /* the thread that makes a step */
static struct weir_config configuration;

/* ---- Threads ---------------------------------------------------------------------------- */

static void stop(void)
{
	swapcontext(&world.thread[current].context, &explorer);
}

static bool is_inside(const void *at, const void *memory, size_t size)
{
	return (uintptr_t)at - (uintptr_t)memory < size;
}

void model_step(const void *at)
{
	const struct weir_flow_rest *rest = world.memory.rest;

	if (current < 0 || !is_inside(at, &world.memory, sizeof(world.memory)))
		return;
	/* MappedMap: a piece that was not mapped yet cannot be read. */
	if (current == MODEL_AGENT && is_inside(at, rest, sizeof(world.memory.rest)) &&
	    !world.is_mapped[((uintptr_t)at - (uintptr_t)rest) / sizeof(*rest)])
		model_fault("the agent reads memory that it has not mapped");
	stop();
}

__u32 model_cpu(void)
{
	return current;
}

void model_fault(const char *what)
{
	if (!world.fault)
		world.fault = what;
}

void model_fence(void)
{
	struct model_thread *agent = &world.thread[MODEL_AGENT];

	if (current != MODEL_AGENT)
		return; /* the last scan, when nothing else runs */
	for (int i = 0; i < SLOT_MODEL_CPUS; i++)
		agent->fence[i] = world.thread[i].is_running ? world.thread[i].runs : 0;
	stop();
	memset(agent->fence, 0, sizeof(agent->fence));
}

static bool can_step(int number)
{
	const struct model_thread *thread = &world.thread[number];

	if (thread->is_done)
		return false;
	for (int i = 0; i < SLOT_MODEL_CPUS; i++) {
		const struct model_thread *cpu = &world.thread[i];

		if (thread->fence[i] && cpu->is_running && cpu->runs == thread->fence[i])
			return false;
	}
	return true;
}

static void run_cpu(void)
{
	struct model_thread *thread = &world.thread[current];
	const struct slot_model_packet *packet = model->packets[current];

	for (int i = 0; i < SLOT_MODEL_PACKETS && packet[i].flow; i++) {
		struct model_counts *sent = &world.sent[packet[i].flow - 1];

		stop();
		thread->is_running = true;
		thread->runs += 1;
		if (!packet[i].is_dropped) {
			sent->packets[packet[i].direction] += 1;
			sent->bytes[packet[i].direction] += model_bytes(&packet[i]);
		}
		model_program(&packet[i]);
		thread->is_running = false;
	}
}

static void run_agent(void)
{
	for (int i = 0; i < model->scans; i++) {
		stop();
		model_scan(model, model->scans_end_flows);
	}
}

static void run_thread(void)
{
	if (current == MODEL_AGENT)
		run_agent();
	else
		run_cpu();
	world.thread[current].is_done = true;
	stop();
}

/* ---- The beginning and the end ---------------------------------------------------------- */

static void begin(void)
{
	memset(&world, 0, sizeof(world));
	memset(&configuration, 0, sizeof(configuration));
	model_config = &configuration;
	configuration.hash_multiplier = 1; /* all flows are at home in slot 0 */
	configuration.slot_mask = model->slots - 1;
	configuration.slot_shift = 63;
	configuration.slot_limit = MODEL_SLOTS;
	configuration.is_preemptible = model->owns_nothing;
	for (int i = 0; i < MODEL_KEYS; i++) {
		model_keys[i] = (struct weir_flow_key){
			.far_port = 1,
			.protocol = 6,
			.state = i ? WEIR_SLOT_LIVE_V6 : WEIR_SLOT_LIVE_V4,
			.addr = { 0, i + 1 },
		};
	}
	for (int i = 0; i < MODEL_THREADS; i++) {
		ucontext_t *context = &world.thread[i].context;

		getcontext(context);
		context->uc_stack.ss_sp = world.thread[i].stack;
		context->uc_stack.ss_size = sizeof(world.thread[i].stack);
		context->uc_link = NULL;
		makecontext(context, run_thread, 0);
	}
}

static void check_counts(int flow, int direction)
{
	const struct model_counts *sent = &world.sent[flow];
	const struct model_counts *drained = &world.drained[flow];
	const struct model_counts *overflow = &world.overflow[flow];

	if (drained->packets[direction] + overflow->packets[direction] !=
		    sent->packets[direction] ||
	    drained->bytes[direction] + overflow->bytes[direction] != sent->bytes[direction])
		model_fault("what was read is not what was sent");
}

/* Whether a slot that holds no flow is all zero. */
static bool is_clean(int index)
{
	struct weir_flow_slot slot = world.memory.flows[index];
	static const struct weir_flow_slot no_slot;
	static const struct weir_flow_rest no_rest;
	static const struct weir_flow_taken no_taken;

	if (slot.state != WEIR_SLOT_FREE && slot.state != WEIR_SLOT_TOMBSTONE)
		return false;
	slot.state = 0;
	return !memcmp(&slot, &no_slot, sizeof(slot)) &&
	       !memcmp(&world.memory.rest[index], &no_rest, sizeof(no_rest)) &&
	       !memcmp(&world.taken[index], &no_taken, sizeof(no_taken));
}

/* All threads have ended: the agent's last scans must find everything. */
static void finish(void)
{
	struct slot_model honest = *model;

	current = -1;
	for (int i = 0; i < model->slots; i++) {
		if ((world.memory.flows[i].state & ~1) == WEIR_SLOT_LIVE_V4 &&
		    !(world.memory.occupied >> i & 1))
			model_fault("a live slot that the agent does not find");
	}
	honest.takes_lanes = false;
	model_scan(&honest, false);
	model_scan(&honest, true);
	for (int flow = 0; flow < MODEL_KEYS; flow++) {
		check_counts(flow, WEIR_INGRESS);
		check_counts(flow, WEIR_EGRESS);
	}
	for (int i = 0; i < model->slots; i++) {
		if (!is_clean(i))
			model_fault("something is left in a slot that was given back");
	}
	if (world.memory.occupied || world.memory.interface.slots || world.memory.use.slots)
		model_fault("a slot is still counted as used");
}

/* ---- States ----------------------------------------------------------------------------- */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
	const unsigned char *byte = bytes;
	uint64_t word;

	for (; size >= sizeof(word); size -= sizeof(word), byte += sizeof(word)) {
		memcpy(&word, byte, sizeof(word));
		hash = (hash ^ word) * 0x9fb21c651e98df25ULL;
		hash ^= hash >> 32;
	}
	for (; size; size--, byte++)
		hash = (hash ^ *byte) * 0x100000001b3ULL;
	return hash;
}

/* The state that decides the future of a thread: its stack, and the registers that a call keeps. */
static uint64_t hash_thread(uint64_t hash, const struct model_thread *thread)
{
	const unsigned char *end = thread->stack + sizeof(thread->stack);
	const unsigned char *top;

	hash = hash_bytes(hash, &thread->is_done, (char *)thread->stack - (char *)&thread->is_done);
	if (thread->is_done)
		return hash;
#if defined(__x86_64__)
	const greg_t *registers = thread->context.uc_mcontext.gregs;
	const int kept[] = { REG_RBX, REG_RBP, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP };

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		hash = hash_bytes(hash, &registers[kept[i]], sizeof(*registers));
	top = (const unsigned char *)registers[REG_RSP];
#elif defined(__aarch64__)
	hash = hash_bytes(hash, &thread->context.uc_mcontext.regs[19], 12 * 8);
	hash = hash_bytes(hash, &thread->context.uc_mcontext.pc, 8);
	top = (const unsigned char *)thread->context.uc_mcontext.sp;
#endif
	return hash_bytes(hash, top, end - top);
}

static uint64_t hash_world(void)
{
	uint64_t hash = hash_bytes(1, &world, (char *)&world.thread - (char *)&world);

	for (int i = 0; i < MODEL_THREADS; i++)
		hash = hash_thread(hash, &world.thread[i]);
	return hash ?: 1;
}

/* Hashes of all states that were met; 0: empty. */
static uint64_t *met;
static uint64_t met_mask;

/* Notes a state; false if it was met before. */
static bool meet(uint64_t hash)
{
	uint64_t place = hash * 0x9e3779b97f4a7c15ULL >> 20 & met_mask;

	while (met[place] && met[place] != hash)
		place = (place + 1) & met_mask;
	if (met[place])
		return false;
	met[place] = hash;
	return true;
}

/* A state on the way to the one that is looked at, and the threads that were followed from it. */
struct way {
	struct model_world world;
	int next;
};

static void explore(struct slot_model_result *result, struct way *way, uint32_t length)
{
	uint32_t depth = 0;

	way[0].world = world;
	way[0].next = 0;
	for (;;) {
		struct way *here = &way[depth];

		world = here->world;
		while (here->next < MODEL_THREADS && !can_step(here->next))
			here->next += 1;
		if (here->next == MODEL_THREADS) {
			if (!depth)
				return;
			depth -= 1;
			continue;
		}
		current = here->next++;
		swapcontext(&explorer, &world.thread[current].context);
		current = -1;
		if (!world.fault && !meet(hash_world()))
			continue;
		result->states += 1;
		if (!can_step(0) && !can_step(1) && !can_step(2)) {
			bool had_duplicates;

			finish();
			had_duplicates = world.duplicates;
			result->ends += 1;
			result->duplicates += had_duplicates;
			if (!world.fault)
				continue;
		}
		if (world.fault) {
			result->fault = world.fault;
			result->depth = depth + 1;
			return;
		}
		if (depth + 2 >= length || result->states >= model->states) {
			result->is_complete = false;
			return;
		}
		depth += 1;
		if (depth > result->depth)
			result->depth = depth;
		way[depth].world = world;
		way[depth].next = 0;
	}
}

void slot_model_add(struct slot_model *to, int cpu, struct slot_model_packet packet)
{
	for (int i = 0; i < SLOT_MODEL_PACKETS; i++) {
		if (to->packets[cpu][i].flow)
			continue;
		to->packets[cpu][i] = packet;
		return;
	}
	abort();
}

struct slot_model_result slot_model_run(const struct slot_model *wanted)
{
	struct slot_model_result result = { .is_complete = true };
	const uint32_t length = 4096;
	struct way *way = malloc(length * sizeof(*way));

	model = wanted;
	met_mask = 1;
	while (met_mask < 3ULL * wanted->states)
		met_mask *= 2;
	met = calloc(met_mask, sizeof(*met));
	met_mask -= 1;
	begin();
	explore(&result, way, length);
	free(met);
	free(way);
	return result;
}

#pragma clang attribute pop
