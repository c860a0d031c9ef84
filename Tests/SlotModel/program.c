// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The programs' side: bpf/table.h as it is, with a window as small as the model's table.
 */
#include "world.h"

#undef WEIR_WINDOW
#define WEIR_WINDOW MODEL_SLOTS
#define WEIR_KERNEL_H /* no structure of the kernel is needed */
#define UNROLLED
#define LIKELY(condition) (condition)
#define UNLIKELY(condition) (condition)
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

static bool add_known(const struct weir_flow_key *key, uint32_t self, uint64_t lane, uint32_t marks,
		      int direction, __u64 *place)
{
	const struct key_view view = {
		.ports = *(const uint64_t *)key,
		.upper = *(const uint64_t *)key >> 32,
		.v4 = key->addr[1],
		.near = &key->addr[0],
		.far = &key->addr[2],
	};

	return is_key_v4(key) ? table_add_known(&view, true, self, lane, marks, direction, place) :
				table_add_known(&view, false, self, lane, marks, direction, place);
}

void model_program(const struct slot_model_packet *packet)
{
	struct weir_flow_key key = model_keys[packet->flow - 1];
	struct weir_pair wire = {
		.packets = 1,
		.bytes = model_bytes(packet),
	};
	uint32_t marks = WEIR_MARK_OPENED_INGRESS << packet->direction;
	/* weir_account.owner */
	uint32_t self = model_config->is_preemptible ? WEIR_OWNER_NONE : model_cpu() + 1;
	__u64 place = 0;

	if (packet->is_dropped) {
		/* count_denied, bpf/drop.h */
		uint32_t marks = packet->direction == WEIR_EGRESS ? WEIR_MARK_FIRST_EGRESS : 0;
		uint32_t index;

		if (!slot_find(&key, &index, &place))
			table_claim(&key, place, marks, 0, 0);
		return;
	}
	/* count_usual, bpf/account.h */
	if (self && add_known(&key, self, lane_of(&wire), marks, packet->direction, &place))
		return;
	if (table_add(&key, &wire, marks, packet->direction, place))
		return;
	world.overflow[packet->flow - 1].packets[packet->direction] += 1;
	world.overflow[packet->flow - 1].bytes[packet->direction] += wire.bytes;
}
