#define _GNU_SOURCE
#include "weir_sys.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <unistd.h>

/* include/uapi/linux/bpf.h of Linux 6.6 */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS 47
#define LINK_BEFORE (1U << 3)
#define LINK_AFTER (1U << 4)

/* The members of union bpf_attr that BPF_LINK_CREATE reads for TCX. */
struct tcx_link_create {
	__u32 program;
	__u32 ifindex;
	__u32 attach_type;
	__u32 flags;
	__u32 relative; /* 0: before the first, after the last */
	__u32 pad;
	__u64 expected_revision; /* 0: any */
};

int weir_tcx_attach(int program, uint32_t ifindex, int direction)
{
	struct tcx_link_create attr = {
		.program = program,
		.ifindex = ifindex,
		.attach_type = direction == WEIR_INGRESS ? ATTACH_TCX_INGRESS : ATTACH_TCX_EGRESS,
		.flags = direction == WEIR_INGRESS ? LINK_BEFORE : LINK_AFTER,
	};
	int link = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return link < 0 ? -errno : link;
}

/* struct bpf_link_info of a TCX link (linux/bpf.h of Linux 6.6). */
struct tcx_link_info {
	__u32 type;
	__u32 id;
	__u32 program;
	__u32 pad;
	__u32 ifindex; /* 0: detached */
	__u32 attach_type;
	__u64 rest[8];
};

int weir_tcx_state(int link, uint32_t *ifindex, uint32_t *program)
{
	struct tcx_link_info info;
	union bpf_attr attr;

	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = link;
	attr.info.info = (__u64)(unsigned long)&info;
	attr.info.info_len = sizeof(info);
	if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)))
		return -errno;
	*ifindex = info.ifindex;
	*program = info.program;
	return 0;
}

/* The members of union bpf_attr that BPF_LINK_UPDATE reads. */
struct link_update {
	__u32 link;
	__u32 program;
	__u32 flags;
	__u32 old_program;
};

int weir_link_update(int link, int program)
{
	struct link_update attr = { .link = link, .program = program };

	return syscall(SYS_bpf, BPF_LINK_UPDATE, &attr, sizeof(attr)) ? -errno : 0;
}

bool weir_is_bpffs(const char *path)
{
	struct statfs status;

	return statfs(path, &status) == 0 && status.f_type == BPF_FS_MAGIC;
}

/* include/uapi/asm-generic/socket.h of Linux 5.14 */
#define NETNS_COOKIE 71

int weir_netns_cookie(uint64_t *cookie)
{
	socklen_t size = sizeof(*cookie);
	int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (descriptor < 0)
		return -errno;
	result = getsockopt(descriptor, SOL_SOCKET, NETNS_COOKIE, cookie, &size) ? -errno : 0;
	close(descriptor);
	return result;
}

int weir_possible_cpus(void)
{
	char text[256];
	const char *last = text;
	FILE *file = fopen("/sys/devices/system/cpu/possible", "re");

	if (!file)
		return -errno;
	/* Ranges in ascending order, as "0-3" or "0,2-3": the last number counts. */
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	for (const char *c = text; *c; c++) {
		if (*c == '-' || *c == ',')
			last = c + 1;
	}
	return atoi(last) + 1;
}

bool weir_cpu_is_allowed(int cpu)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_ISSET(cpu, &set);
}

int weir_cpu_stay(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

int weir_receive(int descriptor, void *buffer, size_t size, unsigned most, uint32_t *lengths)
{
	struct mmsghdr messages[WEIR_RECEPTIONS];
	struct iovec parts[WEIR_RECEPTIONS];
	int count;

	if (most > WEIR_RECEPTIONS)
		most = WEIR_RECEPTIONS;
	memset(messages, 0, most * sizeof(messages[0]));
	for (unsigned i = 0; i < most; i++) {
		parts[i].iov_base = (char *)buffer + i * size;
		parts[i].iov_len = size;
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	count = recvmmsg(descriptor, messages, most, MSG_DONTWAIT, NULL);
	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++)
		lengths[i] = messages[i].msg_len;
	return count;
}

uint64_t weir_effective_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof(data));
	if (syscall(SYS_capget, &header, data) != 0)
		return 0;
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

int weir_keep_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	if (syscall(SYS_capget, &header, sets) != 0)
		return -errno;
	for (int half = 0; half < 2; half++) {
		sets[half].permitted &= (uint32_t)(kept >> (32 * half));
		sets[half].effective &= sets[half].permitted;
		sets[half].inheritable = 0;
	}
	return syscall(SYS_capset, &header, sets) == 0 ? 0 : -errno;
}

int weir_clock_is_kept(int64_t *error_us)
{
	struct timex state = { .modes = 0 };
	int answer = adjtimex(&state);

	if (answer < 0)
		return -errno;
	*error_us = state.maxerror;
	return answer != TIME_ERROR && !(state.status & STA_UNSYNC);
}
