/*
 * The consumer's side of a BPF ring buffer. libbpf has one, too; with this one the caller
 * decides when the ring advances.
 */
#ifndef WEIR_RING_H
#define WEIR_RING_H

#include <stddef.h>
#include <stdint.h>

/* A ring in this process's memory. */
struct weir_ring {
	uint64_t *consumer;
	const uint64_t *producer;
	/*
	 * Mapped twice, one after the other, so that no record is cut. NULL before the first record, because a
	 * mapped ring counts as resident memory, twice.
	 */
	const char *data;
	size_t mask;
	size_t page;
	int map;
};

/* Maps a ring of a number of bytes (a power of two), without its data; 0 or -errno. */
int weir_ring_open(int map, size_t bytes, struct weir_ring *ring);

/*
 * A descriptor that becomes readable when a program wakes the ring's reader; the ring's own is readable
 * as long as it contains a record. -errno on failure.
 */
int weir_ring_watch(int map);

/* Unmaps it. */
void weir_ring_close(struct weir_ring *ring);

/*
 * The next complete record, and the position of the ring after it; NULL if there is none. A record
 * that the program discarded is skipped.
 */
const void *weir_ring_next(struct weir_ring *ring, size_t *size, uint64_t *behind);

/* Moves the ring on: the kernel may use the room again. */
void weir_ring_advance(const struct weir_ring *ring, uint64_t position);

#endif
