// Loads the programs of an object, configured as the agent does it, and prints for each the figures of the kernel's
// verifier: a line of the name, the verified instructions and the stack depth of it and its functions.
//
//   verify OBJECT [MAP]
//
// All entries of the map are allocated at once.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir_abi.h"

enum { log_size = 1 << 20, statistics_only = 4, reasons = 120, places = 3 };

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, arguments) : 0;
}

// A constant of the object, in memory that is written before the object is loaded.
static void *constant(struct bpf_object *object, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	const struct btf *btf = bpf_object__btf(object);
	const int section = map ? btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC) : -1;
	size_t size;

	if (section < 0)
		return NULL;
	const struct btf_type *type = btf__type_by_id(btf, section);
	const struct btf_var_secinfo *variable = btf_var_secinfos(type);
	for (int index = 0; index < btf_vlen(type); index++, variable++) {
		const struct btf_type *found = btf__type_by_id(btf, variable->type);

		if (!strcmp(btf__name_by_offset(btf, found->name_off), name))
			return (char *)bpf_map__initial_value(map, &size) + variable->offset;
	}
	return NULL;
}

// Sets the constants: the verifier skips the code that they make unreachable.
static void configure(struct weir_config *config, struct weir_drop_config *drops)
{
	memset(config, 0x55, sizeof(*config));
	config->slot_mask = WEIR_DEFAULT_SLOTS - 1;
	config->slot_shift = 64 - 17;
	config->cpus = 2;
	config->ring_wakeup = config->slot_limit = config->ring_limit = 65536;
	config->is_preemptible = config->handshakes = 0;
	if (!drops)
		return;
	drops->netns = 0xf0000000;
	drops->reasons = reasons;
	for (int place = 0; place < places; place++) {
		drops->place[place].start = 0xffffffff81000000 + place * 0x10000;
		drops->place[place].end = drops->place[place].start + 0x1000;
		drops->place[place].kind = WEIR_DROP_DECISION;
	}
	for (int reason = 0; reason < reasons; reason++)
		drops->kind[reason] = WEIR_DROP_TROUBLE;
}

int main(int count, char **arguments)
{
	if (count < 2 || count > 3)
		return 2;
	libbpf_set_print(quiet);
	struct bpf_object *object = bpf_object__open_file(arguments[1], NULL);
	if (!object) {
		perror(arguments[1]);
		return 1;
	}
	struct weir_config *config = constant(object, "config");
	struct weir_drop_config *drops = constant(object, "drop_config");
	struct weir_socket_config *sockets = constant(object, "socket_config");
	struct bpf_map *map = count == 3 ? bpf_object__find_map_by_name(object, arguments[2]) :
					   NULL;
	if (!config || (!drops && !sockets) || (count == 3 && !map)) {
		fprintf(stderr, "%s: no such constants or map\n", arguments[1]);
		return 1;
	}
	if (map)
		bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~BPF_F_NO_PREALLOC);
	if (sockets)
		sockets->netns = 0xf0000000;
	configure(config, drops);
	struct bpf_program *program;
	bpf_object__for_each_program(program, object)
	{
		bpf_program__set_log_level(program, statistics_only);
		bpf_program__set_log_buf(program, calloc(1, log_size), log_size);
	}
	int error = bpf_object__load(object);
	bpf_object__for_each_program(program, object)
	{
		size_t size;
		const char *log = bpf_program__log_buf(program, &size);
		const char *processed = strstr(log, "processed "), *stack = strstr(log, "stack depth ");
		printf("%s %d %.*s\n", bpf_program__name(program), processed ? atoi(processed + 10) : -1,
		       stack ? (int)strcspn(stack + 12, "\n") : 1, stack ? stack + 12 : "-");
	}
	return error ? 1 : 0;
}
