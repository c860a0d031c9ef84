// Loads the programs of an object, and prints for each what the kernel's verifier says of it: a line of the name, the
// verified instructions and the stack depth of it and its functions.
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { log_size = 1 << 20, statistics_only = 4 };

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, arguments) : 0;
}

int main(int count, char **arguments)
{
	if (count != 2)
		return 2;
	libbpf_set_print(quiet);
	struct bpf_object *object = bpf_object__open_file(arguments[1], NULL);
	if (!object) {
		perror(arguments[1]);
		return 1;
	}
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
