/*
 * The part of the maps' counts that is in records, in maps of the agent's own that outlive it. The
 * programs never touch them.
 *
 * Counts are reported in epochs. Epoch n is closed by a flush: the counts that have been drained
 * until then are written as version n of every slot and interface, and the flush's records go to
 * the outputs. It is committed when the records are written, by one store to weir_agent.committed. An
 * agent that finds the maps goes on at the newest versions that are committed: everything else was
 * not reported. At most one epoch is closed and not committed, so two versions of each are enough.
 *
 * Counts that leave the slots before they are committed (a slot is freed, a packet comes through
 * the ring, drops are taken) are added to sums of their interface and epoch, the loose counts. The
 * loose counts of an epoch that was not committed are in no record, and in no slot any more.
 *
 * A process may be killed between any two instructions; its stores until then remain, in their
 * order. So an operation of several stores is written to weir_agent.redo first, and the next agent
 * repeats it.
 */
#ifndef WEIR_REPORTED_H
#define WEIR_REPORTED_H

#include <stdbool.h>
#include <stdint.h>

#include "weir_abi.h"
#include "weir_drops.h"

/* ---- Layout ----------------------------------------------------------------------------- */

/* The drained counts of a slot when an epoch was closed. */
struct weir_flow_version {
	__u64 bytes[WEIR_DIRECTIONS];
	__u32 packets[WEIR_DIRECTIONS];
	__u32 epoch; /* 0: none */
	__u32 pad;
};

/* The map "flow_reported", at the index of the slot. */
struct weir_flow_reported {
	struct weir_flow_version version[2];
};

/* Packets and bytes that crossed an interface, and those that were denied. */
struct weir_sums {
	struct weir_pair crossed[WEIR_DIRECTIONS];
	struct weir_pair denied[WEIR_DROP_LANES];
};

/* The loose counts of an interface and an epoch. */
struct weir_loose {
	__u32 epoch; /* 0: none */
	__u32 pad;
	struct weir_sums sums;
};

/* The counts of an interface that the agent had taken over when an epoch was closed. */
struct weir_interface_version {
	__u32 epoch; /* 0: none */
	__u32 pad;
	struct weir_pair flows[WEIR_DIRECTIONS]; /* the agent's parts of the account */
	struct weir_pair overflow[WEIR_DIRECTIONS];
	struct weir_pair denied_flows[WEIR_DIRECTIONS];
	struct weir_pair denied_overflow[WEIR_DIRECTIONS];
	struct weir_sums unplaced; /* its part of the remainder */
	struct weir_sums handed_on; /* of the remainder in the programs' counters */
};

#define WEIR_INTERFACE_NAME 16

/* The map "interface_reported", at the position of the interface; after the last one, removed interfaces. */
struct weir_interface_reported {
	char name[WEIR_INTERFACE_NAME];
	__u32 owns_qdisc; /* the agent has created the interface's clsact qdisc */
	__u32 pad1; /* 0 */
	struct weir_loose loose[2];
	struct weir_interface_version version[2];
	__u64 pad[29]; /* 0 */
};

#define WEIR_REPORTED_GONE WEIR_MAX_INTERFACES
#define WEIR_REPORTED_INTERFACES (2 * WEIR_MAX_INTERFACES) /* a power of two, for the mapping */

/* An operation in progress, which the agent that finds it repeats. */
enum weir_redo_phase : __u32 {
	WEIR_REDO_NOTHING = 0,
	WEIR_REDO_SLOT = 1, /* the loose counts include the slot's, and the slot is freed */
	WEIR_REDO_RING = 2, /* they include the ring's record, and the ring advances */
	WEIR_REDO_DROPS = 3, /* they include the landing counts, which are zeroed */
	WEIR_REDO_RELEASE = 4, /* removed interfaces include the position, which is zeroed */
	WEIR_REDO_LOOSE = 5, /* the loose counts are replaced */
};

struct weir_redo {
	__u32 phase; /* enum weir_redo_phase */
	__u32 position; /* in "interface_reported", of the loose counts */
	__u32 subject; /* the slot, or the position that is released */
	__u32 is_landing; /* drops are being moved to `landing`, of the interface at landing_position */
	__u32 landing_position;
	__u32 pad;
	__u64 ring; /* the ring's new position */
	struct weir_loose loose[2]; /* the new loose counts */
	struct weir_drop_slot landing;
};

/* A file and its length. */
struct weir_file_mark {
	__u64 device;
	__u64 inode; /* 0: none */
	__u64 length;
};

#define WEIR_FILE_MARKS 8

/* The flush that closed an epoch. */
struct weir_commit {
	__u32 epoch; /* 0: none */
	__u32 pad;
	__s64 monotonic; /* the clocks at its end, ns */
	__s64 boot;
	__s64 wall;
	struct weir_file_mark file[WEIR_FILE_MARKS];
};

#define WEIR_LAYOUT_NAME 64

/* The one element of the map "agent". */
struct weir_agent {
	__u32 version; /* WEIR_ABI_VERSION; 0: the maps are not complete */
	__u32 committed; /* the newest epoch that is committed; 0: none */
	__u64 watched_since; /* when everything was attached at the start, CLOCK_MONOTONIC ns */
	struct weir_config config; /* of the programs */
	struct weir_drop_config drops; /* of the program for drops; 0 if there is none */
	__u32 pad;
	__u32 drained_epoch; /* of the records of an older table that was drained; 0: none */
	char drained[WEIR_LAYOUT_NAME]; /* the name of that table's layout */
	struct weir_commit commit[2];
	struct weir_redo redo;
};

WEIR_ASSERT(sizeof(struct weir_flow_reported) == 64);
WEIR_ASSERT(sizeof(struct weir_interface_reported) == 1024);
WEIR_ASSERT(sizeof(struct weir_agent) <= 4096);

/* ---- Access ----------------------------------------------------------------------------- */

/* Orders the stores before it before the stores after it, if the process is killed. */
static inline void weir_reported_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* The newest of two versions up to an epoch: 0, 1, or -1 if there is none. */
static inline int weir_newest_version(uint32_t first, uint32_t second, uint32_t until)
{
	bool has_first = first && first <= until;
	bool has_second = second && second <= until;

	if (has_first && has_second)
		return second > first;
	return has_first ? 0 : has_second ? 1 : -1;
}

/* The newest version of a slot up to an epoch; NULL if there is none. */
static inline const struct weir_flow_version *
weir_flow_version_until(const struct weir_flow_reported *reported, uint32_t epoch)
{
	int index =
		weir_newest_version(reported->version[0].epoch, reported->version[1].epoch, epoch);

	return index < 0 ? (const struct weir_flow_version *)0 : &reported->version[index];
}

/* The same of an interface. */
static inline const struct weir_interface_version *
weir_interface_version_until(const struct weir_interface_reported *reported, uint32_t epoch)
{
	int index =
		weir_newest_version(reported->version[0].epoch, reported->version[1].epoch, epoch);

	return index < 0 ? (const struct weir_interface_version *)0 : &reported->version[index];
}

/* Writes a slot's version of an epoch, over the older one; false if the newer one is equal. */
static inline bool weir_flow_report(struct weir_flow_reported *reported,
				    const struct weir_flow_taken *taken, uint32_t epoch)
{
	int newest = weir_newest_version(reported->version[0].epoch, reported->version[1].epoch,
					 UINT32_MAX);
	struct weir_flow_version *version = &reported->version[newest == 0];

	if (newest >= 0) {
		const struct weir_flow_version *last = &reported->version[newest];

		if (last->bytes[0] == taken->bytes[0] && last->bytes[1] == taken->bytes[1] &&
		    last->packets[0] == taken->packets[0] && last->packets[1] == taken->packets[1])
			return false;
	}
	for (int i = 0; i < WEIR_DIRECTIONS; i++) {
		version->bytes[i] = taken->bytes[i];
		version->packets[i] = taken->packets[i];
	}
	weir_reported_barrier();
	version->epoch = epoch;
	return true;
}

/* Writes an interface's version of an epoch, over the older one. */
static inline void weir_interface_report(struct weir_interface_reported *reported,
					 struct weir_interface_version *version, uint32_t epoch)
{
	int newest = weir_newest_version(reported->version[0].epoch, reported->version[1].epoch,
					 UINT32_MAX);
	struct weir_interface_version *place = &reported->version[newest == 0];

	version->epoch = place->epoch;
	*place = *version;
	weir_reported_barrier();
	place->epoch = epoch;
}

/* Makes an epoch the newest that is committed. */
static inline void weir_agent_commit(struct weir_agent *agent, const struct weir_commit *commit)
{
	struct weir_commit *place = &agent->commit[commit->epoch & 1];

	place->epoch = 0;
	weir_reported_barrier();
	*place = *commit;
	weir_reported_barrier();
	__atomic_store_n(&agent->committed, commit->epoch, __ATOMIC_RELEASE);
}

/* The flush that closed the newest committed epoch, or the start of the first run. */
static inline struct weir_commit *weir_agent_newest_commit(struct weir_agent *agent)
{
	return &agent->commit[agent->committed & 1];
}

/* Adds a file, if it is not there and there is room. */
static inline void weir_commit_add_file(struct weir_commit *commit,
					const struct weir_file_mark *mark)
{
	for (int i = 0; i < WEIR_FILE_MARKS; i++) {
		struct weir_file_mark *file = &commit->file[i];

		if (file->inode == mark->inode && file->device == mark->device)
			return;
		if (file->inode)
			continue;
		file->device = mark->device;
		file->length = mark->length;
		weir_reported_barrier();
		file->inode = mark->inode;
		return;
	}
}

/* Notes that the table of a layout was read to its end, in an epoch. */
static inline void weir_agent_set_drained(struct weir_agent *agent, const char *layout,
					  uint32_t epoch)
{
	/* The new name must never be stored with the epoch of a previous table. */
	agent->drained_epoch = 0;
	weir_reported_barrier();
	__builtin_strncpy(agent->drained, layout, WEIR_LAYOUT_NAME - 1);
	weir_reported_barrier();
	agent->drained_epoch = epoch;
}

/* The operation in progress. */
static inline struct weir_redo *weir_agent_redo(struct weir_agent *agent)
{
	return &agent->redo;
}

/* ---- Loose counts ----------------------------------------------------------------------- */

/* Begins to change the loose counts of a position: copies them. */
static inline void weir_loose_begin(struct weir_redo *redo,
				    const struct weir_interface_reported *reported,
				    uint32_t position)
{
	redo->position = position;
	redo->loose[0] = reported->loose[0];
	redo->loose[1] = reported->loose[1];
}

/* The copy of an epoch; it replaces that of an earlier epoch, which is committed. */
static inline struct weir_sums *weir_loose_sums(struct weir_redo *redo, uint32_t epoch)
{
	struct weir_loose *loose = &redo->loose[epoch & 1];

	if (loose->epoch != epoch) {
		__builtin_memset(loose, 0, sizeof(*loose));
		loose->epoch = epoch;
	}
	return &loose->sums;
}

/* Makes the copy valid, together with the operation of the phase. */
static inline void weir_loose_apply(struct weir_redo *redo,
				    struct weir_interface_reported *reported, uint32_t phase)
{
	weir_reported_barrier();
	redo->phase = phase;
	weir_reported_barrier();
	reported->loose[0] = redo->loose[0];
	reported->loose[1] = redo->loose[1];
	weir_reported_barrier();
}

/* Marks the operation of the phase as done. */
static inline void weir_loose_end(struct weir_redo *redo)
{
	weir_reported_barrier();
	redo->phase = WEIR_REDO_NOTHING;
	weir_reported_barrier();
}

/* Adds to a pair. */
static inline void weir_pair_add(struct weir_pair *pair, uint64_t packets, uint64_t bytes)
{
	pair->packets += packets;
	pair->bytes += bytes;
}

/* Adds the part of a slot's counts that is in no committed version, to the epochs that it belongs to. */
static inline void weir_loose_add_slot(struct weir_redo *redo,
				       const struct weir_flow_reported *reported,
				       const struct weir_flow_taken *taken, uint32_t committed,
				       uint32_t epoch)
{
	static const struct weir_flow_version nothing;
	const struct weir_flow_version *newest = weir_flow_version_until(reported, UINT32_MAX);
	const struct weir_flow_version *base = weir_flow_version_until(reported, committed);

	newest = newest ? newest : &nothing;
	base = base ? base : &nothing;
	for (int i = 0; i < WEIR_DIRECTIONS; i++) {
		weir_pair_add(&weir_loose_sums(redo, epoch)->crossed[i],
			      taken->packets[i] - newest->packets[i],
			      taken->bytes[i] - newest->bytes[i]);
		if (newest != base)
			weir_pair_add(&weir_loose_sums(redo, newest->epoch)->crossed[i],
				      newest->packets[i] - base->packets[i],
				      newest->bytes[i] - base->bytes[i]);
	}
}

/* Moves drops of an interface's slot to where the next agent finds them. */
static inline void weir_drops_land(struct weir_redo *redo, struct weir_drop_slot *slot,
				   uint32_t position)
{
	redo->landing_position = position;
	weir_reported_barrier();
	redo->is_landing = 1;
	weir_reported_barrier();
	weir_drops_take(slot, &redo->landing);
	weir_reported_barrier();
}

/* Marks the landing counts as added to the loose counts. */
static inline void weir_drops_landed(struct weir_redo *redo)
{
	weir_reported_barrier();
	__builtin_memset(&redo->landing, 0, sizeof(redo->landing));
	weir_reported_barrier();
	redo->is_landing = 0;
	weir_loose_end(redo);
}

#endif
