#include "weir_ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

int weir_ring_open(int map, size_t bytes, struct weir_ring *ring)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	void *producer;

	if (consumer == MAP_FAILED)
		return -errno;
	/* The producer's position has a page of its own; the data comes behind it. */
	producer = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, map, (off_t)page);
	if (producer == MAP_FAILED) {
		int error = errno;

		munmap(consumer, page);
		return -error;
	}
	*ring = (struct weir_ring){
		.consumer = consumer,
		.producer = producer,
		.data = (const char *)producer + page,
		.mask = bytes - 1,
		.page = page,
	};
	return 0;
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
	munmap(ring->consumer, ring->page);
	munmap((void *)ring->producer, ring->page + 2 * (ring->mask + 1));
}

const void *weir_ring_next(const struct weir_ring *ring, size_t *size, uint64_t *behind)
{
	uint64_t position = *ring->consumer;

	while (position < __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE)) {
		const char *record = ring->data + (position & ring->mask);
		uint32_t header = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
		uint32_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

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
