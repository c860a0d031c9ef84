#define _GNU_SOURCE
#include "weir_claim.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Makes the address of a name; returns its length. */
static socklen_t abstract_address(struct sockaddr_un *address, const char *name)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	/* The leading zero makes it a name of the network namespace, and not a file. */
	snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "%s", name);
	return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address->sun_path + 1);
}

int weir_claim(const char *name)
{
	struct sockaddr_un address;
	socklen_t length = abstract_address(&address, name);
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (descriptor < 0)
		return -errno;
	/* Listens, so that others can query the owner from the kernel. */
	if (bind(descriptor, (struct sockaddr *)&address, length) ||
	    listen(descriptor, SOMAXCONN)) {
		int error = errno;

		close(descriptor);
		return -error;
	}
	return descriptor;
}

int weir_claim_holder(const char *name)
{
	struct sockaddr_un address;
	socklen_t length = abstract_address(&address, name);
	struct ucred holder = { 0 };
	socklen_t size = sizeof(holder);
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int result;

	if (descriptor < 0)
		return -errno;
	if (connect(descriptor, (struct sockaddr *)&address, length) ||
	    getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &holder, &size))
		result = -errno;
	else
		result = holder.uid == 0 ? holder.pid : -EPERM;
	close(descriptor);
	return result;
}
