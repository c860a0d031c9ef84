#include "weir_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

/* Maps the data; false if there is no memory for that. */
static bool map_data(struct weir_ring *ring)
{
	void *data = mmap(NULL, 2 * (ring->mask + 1), PROT_READ, MAP_SHARED, ring->map,
			  (off_t)(2 * ring->page));

	if (data == MAP_FAILED)
		return false;
	ring->data = data;
	return true;
}

static void unmap_data(struct weir_ring *ring)
{
	if (ring->data)
		munmap((void *)ring->data, 2 * (ring->mask + 1));
	ring->data = NULL;
}

int weir_ring_open(int map, size_t bytes, struct weir_ring *ring)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int error;

	*ring = (struct weir_ring){ .mask = bytes - 1, .page = page };
	ring->map = fcntl(map, F_DUPFD_CLOEXEC, 3);
	if (ring->map < 0)
		return -errno;
	ring->consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, ring->map, 0);
	if (ring->consumer == MAP_FAILED)
		goto without_consumer;
	ring->producer = mmap(NULL, page, PROT_READ, MAP_SHARED, ring->map, (off_t)page);
	if (ring->producer == MAP_FAILED)
		goto without_producer;
	/* The caller must learn here whether the data can be mapped. */
	if (!map_data(ring))
		goto without_data;
	unmap_data(ring);
	return 0;

without_data:
	error = errno;
	munmap((void *)ring->producer, page);
	errno = error;
without_producer:
	error = errno;
	munmap(ring->consumer, page);
	errno = error;
without_consumer:
	error = errno;
	close(ring->map);
	*ring = (struct weir_ring){ 0 };
	return -error;
}

int weir_ring_watch(int map)
{
	struct epoll_event interest = { .events = EPOLLIN };
	int descriptor = epoll_create1(EPOLL_CLOEXEC);

	if (descriptor < 0)
		return -errno;
	if (epoll_ctl(descriptor, EPOLL_CTL_ADD, map, &interest)) {
		int error = errno;

		close(descriptor);
		return -error;
	}
	return descriptor;
}

void weir_ring_close(struct weir_ring *ring)
{
	unmap_data(ring);
	munmap(ring->consumer, ring->page);
	munmap((void *)ring->producer, ring->page);
	close(ring->map);
}

const void *weir_ring_next(struct weir_ring *ring, size_t *size, uint64_t *behind)
{
	uint64_t position = *ring->consumer;

	while (position < __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE)) {
		const char *record;
		uint32_t header, length;

		if (!ring->data && !map_data(ring))
			return NULL;
		record = ring->data + (position & ring->mask);
		header = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
		length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (header & BPF_RINGBUF_BUSY_BIT)
			return NULL;
		position += (length + BPF_RINGBUF_HDR_SZ + 7) & ~7ULL;
		if (!(header & BPF_RINGBUF_DISCARD_BIT)) {
			*size = length;
			*behind = position;
			return record + BPF_RINGBUF_HDR_SZ;
		}
		weir_ring_advance(ring, position);
	}
	return NULL;
}

void weir_ring_advance(const struct weir_ring *ring, uint64_t position)
{
	__atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
}
