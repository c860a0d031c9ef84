// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The agent's side: the steps of weir_slots.h in the order in which FlowTableReader.scan,
 * OwnerChanges and FlowTable.free take them.
 */
#include <string.h>

#define WEIR_SLOT_READS 2 /* each further one is more states of the same kind */
#include "weir_slots.h"
#include "world.h"

#define NONE (-1)

struct retired {
	int count;
	struct {
		int slot;
		int number;
	} entry[MODEL_SLOTS];
};

static int slot_after(const struct slot_model *model, int index)
{
	return (index + 1) & (model->slots - 1);
}

static int flow_of_slot(int index)
{
	for (int i = 0; i < MODEL_KEYS; i++) {
		if (!memcmp(&world.memory.flows[index].addr, &model_keys[i].addr,
			    sizeof(model_keys[i].addr)))
			return i;
	}
	model_fault("a slot of no flow");
	return 0;
}

/* FlowTableReader.otherSlot */
static int other_slot(const struct slot_model *model, int index)
{
	struct weir_flow_slot *flows = world.memory.flows;
	int home = weir_slot_home(&flows[index], (const struct weir_config *)model_config);

	for (int step = 0; step < model->slots; step++) {
		int candidate = (home + step) & (model->slots - 1);

		if (candidate == index || !weir_slot_same_key(&flows[index], &flows[candidate]) ||
		    !world.taken[candidate].changed)
			continue;
		for (int place = home; place != candidate; place = slot_after(model, place)) {
			if (!weir_slot_head(&flows[place]))
				weir_slot_bridge(&flows[place]);
		}
		return candidate;
	}
	return NONE;
}

/* FlowTableReader.drain */
static void drain(int index, int number)
{
	struct weir_flow_taken *taken = &world.taken[index];
	struct model_counts *drained;
	struct weir_counts counts;
	bool is_shared;
	int flow = world.flow_of_number[number] - 1;

	if (flow < 0) {
		model_fault("counts of a flow that has no number");
		return;
	}
	/* FlowTable.counts */
	is_shared = weir_load_u32(&world.memory.flows[index].marks) & WEIR_MARK_SHARED;
	if (is_shared)
		world.is_mapped[index] = true;
	if (!weir_slot_read(&world.memory.flows[index],
			    is_shared ? &world.memory.rest[index] : NULL, &counts))
		return;
	if (flow != flow_of_slot(index))
		model_fault("counts of one flow were given to another");
	drained = &world.drained[flow];
	for (int i = 0; i < WEIR_DIRECTIONS; i++) {
		uint64_t bytes = counts.bytes[i] - taken->bytes[i];
		uint32_t packets = counts.packets[i] - taken->packets[i];

		drained->bytes[i] += bytes;
		drained->packets[i] += packets;
		taken->bytes[i] = counts.bytes[i];
		taken->packets[i] = counts.packets[i];
		if (drained->packets[i] > world.sent[flow].packets[i] ||
		    drained->bytes[i] > world.sent[flow].bytes[i])
			model_fault("more was read than was sent");
	}
}

static void retire(struct retired *retired, int slot, int number)
{
	weir_slot_retire(&world.memory.flows[slot]);
	retired->entry[retired->count].slot = slot;
	retired->entry[retired->count].number = number;
	retired->count += 1;
}

/* FlowTable.free */
static void give_back(const struct slot_model *model, int index)
{
	struct model_memory *memory = &world.memory;
	int place = index;

	world.is_mapped[index] = true;
	weir_slot_free(&memory->flows[index], &memory->rest[index], &world.taken[index],
		       &memory->flows[slot_after(model, index)], &memory->occupied, 1ULL << index);
	weir_share_return_slot(&memory->interface, &memory->use);
	if (weir_slot_head(&memory->flows[index]))
		return;
	for (;;) {
		int next = place;

		place = (place - 1) & (model->slots - 1);
		if (!weir_slot_clear_tombstone(&memory->flows[place], &memory->flows[next]))
			return;
	}
}

/* OwnerChanges: takes the lanes of a flow from their owners; returns a bit for each lane. */
static uint32_t take_lanes(int index)
{
	struct weir_flow_slot *slot = &world.memory.flows[index];
	uint32_t is_changing = 0;

	for (int i = 0; i < WEIR_DIRECTIONS; i++) {
		uint32_t owner = weir_slot_owner(slot, i);

		if (owner != WEIR_OWNER_NONE && owner != WEIR_OWNER_CHANGING &&
		    weir_slot_change_owner(slot, i, owner, WEIR_OWNER_CHANGING))
			is_changing |= 1U << (WEIR_DIRECTIONS * index + i);
	}
	return is_changing;
}

static void vacate_lanes(uint32_t is_changing)
{
	for (int i = 0; i < WEIR_DIRECTIONS * MODEL_SLOTS; i++) {
		if (is_changing >> i & 1)
			weir_slot_change_owner(&world.memory.flows[i / WEIR_DIRECTIONS],
					       i % WEIR_DIRECTIONS, WEIR_OWNER_CHANGING,
					       WEIR_OWNER_NONE);
	}
}

/* FlowTableReader.begin; false: the slot is a second one of a flow. */
static bool meet_slot(const struct slot_model *model, int index, struct retired *retired)
{
	struct weir_flow_slot *flows = world.memory.flows;
	int first = other_slot(model, index);

	if (first == NONE) {
		world.taken[index].changed = 1;
		world.flow_of_number[index] = flow_of_slot(index) + 1;
		return true;
	}
	weir_slot_add_marks(&flows[first], flows[index].marks);
	retire(retired, index, first);
	world.duplicates = true;
	return false;
}

void model_scan(const struct slot_model *model, bool is_ending)
{
	uint64_t bits = world.memory.occupied;
	struct retired retired = {};
	uint32_t is_changing = 0;

	for (int index = 0; index < model->slots; index++) {
		if (!(bits >> index & 1) ||
		    !weir_head_is_live(weir_slot_head(&world.memory.flows[index])))
			continue;
		if (!world.taken[index].changed && !meet_slot(model, index, &retired))
			continue;
		drain(index, index);
		if (model->takes_lanes)
			is_changing |= take_lanes(index);
		if (is_ending)
			retire(&retired, index, index);
	}
	if (model->skips_owner_fence)
		vacate_lanes(is_changing);
	if ((retired.count || is_changing) && !model->skips_fence)
		model_fence();
	vacate_lanes(is_changing);
	for (int i = 0; i < retired.count; i++) {
		drain(retired.entry[i].slot, retired.entry[i].number);
		give_back(model, retired.entry[i].slot);
	}
}
