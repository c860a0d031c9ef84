#include "weir_libbpf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Callers report failures. What libbpf prints on standard error repeats them, or is no failure. */
__attribute__((constructor)) static void silence(void)
{
	libbpf_set_print(NULL);
}

struct bpf_object *weir_object_open(const void *bytes, size_t size, char *log, size_t log_size)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .kernel_log_buf = log,
		    .kernel_log_size = log_size);

	return bpf_object__open_mem(bytes, size, &options);
}

int weir_array_create(const char *name, uint32_t value_size, uint32_t entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), value_size, entries,
			      &options);
}

int weir_test_run(int program, const struct weir_test_frame *frame, int times, uint32_t *verdict,
		  uint32_t *nanoseconds)
{
	struct __sk_buff context = {
		.ifindex = frame->ifindex,
		.gso_size = frame->gso_size,
		.gso_segs = frame->gso_segs,
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes,
		    .data_size_in = frame->size, .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .repeat = times);
	int result = bpf_prog_test_run_opts(program, &options);

	*verdict = options.retval;
	*nanoseconds = options.duration;
	return result;
}

int weir_syscall_run(int program, void *context, size_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = context, .ctx_size_in = size);
	int result = bpf_prog_test_run_opts(program, &options);

	return result ? result : (int)options.retval;
}

int weir_iterator_open(int program, uint32_t task)
{
	union bpf_iter_link_info tasks = { .task = { .tid = task } };
	LIBBPF_OPTS(bpf_link_create_opts, options, .iter_info = &tasks,
		    .iter_info_len = sizeof(tasks));
	int link = bpf_link_create(program, 0, BPF_TRACE_ITER, task ? &options : NULL);
	int iterator;

	if (link < 0)
		return link;
	iterator = bpf_iter_create(link);
	close(link);
	return iterator;
}

struct tc_request {
	struct nlmsghdr header;
	struct tcmsg body;
};

/* Whether a message in a list of qdiscs or filters matches. */
typedef bool tc_matcher(const struct nlmsghdr *message, uint32_t ifindex);

/* Sends a request and reads its answer to the end: 1 if a message of it matches, 0, or -errno. */
static int read_list(int descriptor, const struct tc_request *request, tc_matcher *matches)
{
	char reply[32768] __attribute__((aligned(4)));
	bool found = false, changed = false;

	if (send(descriptor, request, sizeof(*request), 0) != sizeof(*request))
		return -errno;
	for (;;) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)reply;
		int left = recv(descriptor, reply, sizeof(reply), MSG_TRUNC);

		if (left < 0 && errno == EINTR)
			continue;
		if (left < 0)
			return -errno;
		if (left > (int)sizeof(reply))
			return -EMSGSIZE;
		for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
			changed |= message->nlmsg_flags & NLM_F_DUMP_INTR;
			if (message->nlmsg_type == NLMSG_DONE)
				return found ? 1 : changed ? -EINTR : 0;
			if (message->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
			found |= matches(message, request->body.tcm_ifindex);
		}
	}
}

/* Requests a list from rtnetlink; returns whether any message of it matches: 1, 0, or -errno. */
static int any_listed(struct tc_request request, tc_matcher *matches)
{
	const struct timeval patience = { .tv_sec = 1 };
	int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int result;

	if (descriptor < 0)
		return -errno;
	request.header.nlmsg_len = sizeof(request);
	request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	result = read_list(descriptor, &request, matches);
	close(descriptor);
	return result;
}

static bool is_clsact_of(const struct nlmsghdr *message, uint32_t ifindex)
{
	const struct tcmsg *body = NLMSG_DATA(message);
	const struct rtattr *attribute =
		(const void *)((const char *)body + NLMSG_ALIGN(sizeof(*body)));
	int left = (int)message->nlmsg_len - (int)NLMSG_SPACE(sizeof(*body));

	if (message->nlmsg_type != RTM_NEWQDISC || body->tcm_ifindex != (int)ifindex)
		return false;
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == TCA_KIND)
			return strcmp(RTA_DATA(attribute), "clsact") == 0;
	}
	return false;
}

/* Whether the qdisc in the place of clsact is one; ingress sits there too, and has no egress. */
static int has_clsact(uint32_t ifindex)
{
	struct tc_request request = {
		.header.nlmsg_type = RTM_GETQDISC,
		.body.tcm_ifindex = ifindex,
	};

	return any_listed(request, is_clsact_of);
}

int weir_clsact_create(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int result = bpf_tc_hook_create(&hook);
	int is_clsact;

	if (result != -EEXIST)
		return result;
	is_clsact = has_clsact(ifindex);
	return is_clsact < 0 ? is_clsact : is_clsact ? -EEXIST : -EBUSY;
}

int weir_clsact_destroy(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	return bpf_tc_hook_destroy(&hook);
}

static enum bpf_tc_attach_point attach_point(int direction)
{
	return direction == WEIR_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

int weir_clsact_attach(const struct weir_clsact_filter *filter, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)filter->ifindex,
		    .attach_point = attach_point(filter->direction));
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = filter->handle, .priority = filter->priority,
		    .prog_fd = program, .flags = BPF_TC_F_REPLACE);

	return bpf_tc_attach(&hook, &options);
}

int weir_clsact_detach(const struct weir_clsact_filter *filter)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)filter->ifindex,
		    .attach_point = attach_point(filter->direction));
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = filter->handle, .priority = filter->priority);

	return bpf_tc_detach(&hook, &options);
}

int weir_clsact_program(const struct weir_clsact_filter *filter)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)filter->ifindex,
		    .attach_point = attach_point(filter->direction));
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = filter->handle, .priority = filter->priority);
	int result = bpf_tc_query(&hook, &options);

	return result ? result : (int)options.prog_id;
}

static bool is_filter_of(const struct nlmsghdr *message, uint32_t ifindex)
{
	const struct tcmsg *body = NLMSG_DATA(message);

	return message->nlmsg_type == RTM_NEWTFILTER && body->tcm_ifindex == (int)ifindex;
}

int weir_clsact_has_filters(uint32_t ifindex, int direction)
{
	struct tc_request request = {
		.header.nlmsg_type = RTM_GETTFILTER,
		.body = {
			.tcm_ifindex = ifindex,
			.tcm_parent = direction == WEIR_INGRESS ?
				TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS) :
				TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
		},
	};

	return any_listed(request, is_filter_of);
}
