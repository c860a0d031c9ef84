#include "weir_libbpf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

struct bpf_object *weir_object_open(const void *bytes, size_t size, char *log, size_t log_size)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .kernel_log_buf = log,
		    .kernel_log_size = log_size);

	return bpf_object__open_mem(bytes, size, &options);
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

int weir_clsact_create(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	return bpf_tc_hook_create(&hook);
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

/* Asks the kernel for the filters of one direction of a clsact qdisc (RTM_GETTFILTER). */
int weir_clsact_has_filters(uint32_t ifindex, int direction)
{
	struct {
		struct nlmsghdr header;
		struct tcmsg body;
	} request = {
		.header = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_GETTFILTER,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.body = {
			.tcm_family = AF_UNSPEC,
			.tcm_ifindex = ifindex,
			.tcm_parent = direction == WEIR_INGRESS ?
				TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS) :
				TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
		},
	};
	char reply[8192] __attribute__((aligned(4)));
	const struct nlmsghdr *first = (const struct nlmsghdr *)reply;
	int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int found = 0;

	if (descriptor < 0)
		return 0;
	if (send(descriptor, &request, sizeof(request), 0) == sizeof(request) &&
	    recv(descriptor, reply, sizeof(reply), 0) >= (ssize_t)sizeof(*first))
		found = first->nlmsg_type == RTM_NEWTFILTER;
	close(descriptor);
	return found;
}
