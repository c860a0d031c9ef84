// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The programs' side: bpf/table.h as it is, with a window as small as the model's table.
 */
#include "world.h"

#undef WEIR_WINDOW
#define WEIR_WINDOW MODEL_SLOTS
#define WEIR_KERNEL_H /* of the kernel's structures nothing is needed */
#define UNROLLED
#define config (*model_config)
#include "table.h"
#undef config

void *model_map_lookup(const void *map, __u32 key)
{
	if (map == &flows)
		return &world.memory.flows[key];
	if (map == &flow_rest)
		return &world.memory.rest[key];
	if (map == &occupied)
		return &world.memory.occupied;
	if (map == &interfaces)
		return &world.memory.interface;
	if (map == &table_use)
		return &world.memory.use;
	model_fault("a map that is not part of the model");
	return NULL;
}

void model_program(const struct slot_model_packet *packet)
{
	struct weir_flow_key key = model_keys[packet->flow - 1];
	struct weir_pair wire = {
		.packets = 1,
		.bytes = model_bytes(packet),
	};

	if (packet->is_dropped) {
		/* count_denied, bpf/drop.h */
		uint32_t marks = packet->direction == WEIR_EGRESS ? WEIR_MARK_FIRST_EGRESS : 0;
		uint64_t place;
		uint32_t index;

		if (!slot_find(&key, &index, (__u64 *)&place))
			table_claim(&key, place, marks, 0, 0);
		return;
	}
	if (table_add(&key, &wire, WEIR_MARK_OPENED_INGRESS << packet->direction,
		      packet->direction))
		return;
	world.overflow[packet->flow - 1].packets[packet->direction] += 1;
	world.overflow[packet->flow - 1].bytes[packet->direction] += wire.bytes;
}
