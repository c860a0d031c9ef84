#define _GNU_SOURCE
#include "weir_netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int checked(int result)
{
	return result < 0 ? -errno : result;
}

int weir_netns_unshare(void)
{
	return checked(unshare(CLONE_NEWNET));
}

int weir_netns_enter(int descriptor)
{
	return checked(setns(descriptor, CLONE_NEWNET));
}

int weir_netns_set_up(const char *interface)
{
	struct ifreq request = { 0 };
	int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (descriptor < 0)
		return -errno;
	strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
	result = checked(ioctl(descriptor, SIOCGIFFLAGS, &request));
	if (result == 0) {
		request.ifr_flags |= IFF_UP;
		result = checked(ioctl(descriptor, SIOCSIFFLAGS, &request));
	}
	close(descriptor);
	return result;
}

int weir_netns_tun(const char *interface)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int result;

	if (descriptor < 0)
		return -errno;
	strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
	result = checked(ioctl(descriptor, TUNSETIFF, &request));
	if (result == 0)
		return descriptor;
	close(descriptor);
	return result;
}

int weir_netns_memory_file(void)
{
	return checked(memfd_create("weir-lab", MFD_CLOEXEC));
}

int weir_netns_accept(int listener)
{
	return checked(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int weir_netns_send(int descriptor, const void *bytes, size_t stride, size_t size, unsigned count,
		    const struct sockaddr *to, socklen_t to_size)
{
	struct mmsghdr messages[WEIR_NETNS_BATCH] = { 0 };
	struct iovec parts[WEIR_NETNS_BATCH];

	if (count > WEIR_NETNS_BATCH)
		count = WEIR_NETNS_BATCH;
	for (unsigned i = 0; i < count; i++) {
		parts[i].iov_base = (char *)bytes + i * stride;
		parts[i].iov_len = size;
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = (struct sockaddr *)to;
		messages[i].msg_hdr.msg_namelen = to ? to_size : 0;
	}
	return checked(sendmmsg(descriptor, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL));
}

int weir_netns_receive(int descriptor, uint64_t *bytes)
{
	struct mmsghdr messages[WEIR_NETNS_BATCH] = { 0 };
	char room[65536]; /* all messages go here, one upon the other */
	struct iovec part = { .iov_base = room, .iov_len = sizeof(room) };
	int count;

	for (int i = 0; i < WEIR_NETNS_BATCH; i++) {
		messages[i].msg_hdr.msg_iov = &part;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	count = checked(recvmmsg(descriptor, messages, WEIR_NETNS_BATCH, MSG_DONTWAIT, NULL));
	for (int i = 0; i < count; i++)
		*bytes += messages[i].msg_len;
	return count;
}
