/*
 * The places where an agent of another WEIR_ABI_VERSION finds the totals of pinned maps: pinned beside
 * them, as the one element of the map "description".
 *
 * The flows of such maps cannot be read. But the traffic of an interface, and the part of it that is in
 * records, are a few numbers; the other agent reports their difference, without the flows. It also
 * needs the files of the last flush, to cut off the records that were written after it; the table of
 * a third agent that this one has read to its end; and the step that the agent had begun when it died,
 * as far as totals are concerned.
 *
 * This struct never changes: another struct is another format. A number is the offset of a member
 * in its struct, in bytes, unless its comment states otherwise. A pair is packets and bytes, 8 bytes each.
 */
#ifndef WEIR_DESCRIPTION_H
#define WEIR_DESCRIPTION_H

#include <stddef.h>

#include "weir_abi.h"
#include "weir_reported.h"

#define WEIR_DESCRIPTION_FORMAT 2

struct weir_description {
	__u32 format; /* WEIR_DESCRIPTION_FORMAT */
	__u32 version; /* WEIR_ABI_VERSION of the maps */
	__u32 cpus; /* stride of "accounts" */
	__u32 positions; /* of interfaces */

	/* "accounts", at the index (position * cpus + CPU) * 2 + direction; the first CPU's has the index. */
	__u32 account_ifindex; /* 4 bytes; 0: no interface */
	__u32 account_flags; /* 4 bytes */
	__u32 account_is_upper; /* the bit of the flags that marks upper devices */
	__u32 account_seen; /* pair */
	__u32 account_skb; /* pair */
	__u32 account_denied; /* pair */

	/* "interfaces", at the index of the position. */
	__u32 interface_not_ip; /* pairs of both directions */
	__u32 interface_unparsed; /* pairs of both directions */

	/* "interface_reported", at the index of the position. */
	__u32 reported_gone; /* the index of removed interfaces */
	__u32 reported_name; /* text that ends with 0 */
	__u32 reported_name_size; /* bytes */
	__u32 reported_owns_qdisc; /* 4 bytes */
	__u32 loose; /* the first of two */
	__u32 loose_size; /* bytes of each */
	__u32 loose_epoch; /* in a loose count: 4 bytes; 0: none */
	__u32 loose_crossed; /* in a loose count: pairs of both directions */
	__u32 loose_denied; /* in a loose count: pairs of ingress, egress, and uncounted ingress */
	__u32 version_first; /* the first of two */
	__u32 version_size; /* bytes of each */
	__u32 version_epoch; /* in a version: 4 bytes; 0: none */
	/* In a version: pairs of both directions, whose sum is in records. */
	__u32 version_crossed[4];
	__u32 version_denied[2]; /* the same of denied traffic */
	/* The same, as pairs of ingress, egress, and uncounted ingress. */
	__u32 version_denied_lanes[2];

	/* "agent", at the index 0. */
	__u32 agent_committed; /* 4 bytes */
	__u32 commit; /* the first of two; the lowest bit of an epoch is its index */
	__u32 commit_size; /* bytes of each */
	__u32 commit_epoch; /* in a commit: 4 bytes */
	__u32 commit_monotonic; /* in a commit: 8 bytes */
	__u32 commit_boot; /* in a commit: 8 bytes; 0: none */
	__u32 commit_wall; /* in a commit: 8 bytes */
	__u32 commit_files; /* in a commit: device, inode and length of the first file, 8 bytes each */
	__u32 commit_file_count; /* a number; an inode of 0 is no file */

	/* The table that was read completely; it is finished when the epoch is committed. */
	__u32 drained_epoch; /* 4 bytes; 0: none */
	__u32 drained; /* the name of its folder: text that ends with 0 */
	__u32 drained_size; /* bytes */

	/* The operation in progress. Its loose counts are valid, whether those of the position are replaced or not. */
	__u32 redo_phase; /* 4 bytes; 0: nothing */
	__u32 redo_is_release; /* the phase that adds a position to removed interfaces */
	__u32 redo_subject; /* 4 bytes: that position */
	__u32 redo_position; /* 4 bytes: the index in "interface_reported" of the loose counts */
	__u32 redo_loose; /* the first of two, as above */
};

WEIR_ASSERT(sizeof(struct weir_description) == 4 * 49);

/* The description of maps of this version. */
static inline struct weir_description weir_describe(uint32_t cpus)
{
	return (struct weir_description){
		.format = WEIR_DESCRIPTION_FORMAT,
		.version = WEIR_ABI_VERSION,
		.cpus = cpus,
		.positions = WEIR_MAX_INTERFACES,
		.account_ifindex = offsetof(struct weir_account, ifindex),
		.account_flags = offsetof(struct weir_account, flags),
		.account_is_upper = WEIR_INTERFACE_IS_UPPER,
		.account_seen = offsetof(struct weir_account, seen),
		.account_skb = offsetof(struct weir_account, skb),
		.account_denied = offsetof(struct weir_account, denied),
		.interface_not_ip = offsetof(struct weir_interface, not_ip),
		.interface_unparsed = offsetof(struct weir_interface, unparsed),
		.reported_gone = WEIR_REPORTED_GONE,
		.reported_name = offsetof(struct weir_interface_reported, name),
		.reported_name_size = WEIR_INTERFACE_NAME,
		.reported_owns_qdisc = offsetof(struct weir_interface_reported, owns_qdisc),
		.loose = offsetof(struct weir_interface_reported, loose),
		.loose_size = sizeof(struct weir_loose),
		.loose_epoch = offsetof(struct weir_loose, epoch),
		.loose_crossed = offsetof(struct weir_loose, sums.crossed),
		.loose_denied = offsetof(struct weir_loose, sums.denied),
		.version_first = offsetof(struct weir_interface_reported, version),
		.version_size = sizeof(struct weir_interface_version),
		.version_epoch = offsetof(struct weir_interface_version, epoch),
		.version_crossed = { offsetof(struct weir_interface_version, flows),
				     offsetof(struct weir_interface_version, overflow),
				     offsetof(struct weir_interface_version, unplaced.crossed),
				     offsetof(struct weir_interface_version, handed_on.crossed) },
		.version_denied = { offsetof(struct weir_interface_version, denied_flows),
				    offsetof(struct weir_interface_version, denied_overflow) },
		.version_denied_lanes = { offsetof(struct weir_interface_version, unplaced.denied),
					  offsetof(struct weir_interface_version,
						   handed_on.denied) },
		.agent_committed = offsetof(struct weir_agent, committed),
		.commit = offsetof(struct weir_agent, commit),
		.commit_size = sizeof(struct weir_commit),
		.commit_epoch = offsetof(struct weir_commit, epoch),
		.commit_monotonic = offsetof(struct weir_commit, monotonic),
		.commit_boot = offsetof(struct weir_commit, boot),
		.commit_wall = offsetof(struct weir_commit, wall),
		.commit_files = offsetof(struct weir_commit, file),
		.commit_file_count = WEIR_FILE_MARKS,
		.drained_epoch = offsetof(struct weir_agent, drained_epoch),
		.drained = offsetof(struct weir_agent, drained),
		.drained_size = WEIR_LAYOUT_NAME,
		.redo_phase = offsetof(struct weir_agent, redo.phase),
		.redo_is_release = WEIR_REDO_RELEASE,
		.redo_subject = offsetof(struct weir_agent, redo.subject),
		.redo_position = offsetof(struct weir_agent, redo.position),
		.redo_loose = offsetof(struct weir_agent, redo.loose),
	};
}

#endif
