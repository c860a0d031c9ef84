/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The sockets that are kept, and the share of each interface in them and in the ring of reports.
 *
 * The entries are in an array, which a pass reads in order; a bit for each of its places says which are
 * in use. Events of sockets find the place of an entry in a hash map, by the address of its socket.
 */
#ifndef WEIR_SOCKET_TABLE_H
#define WEIR_SOCKET_TABLE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "accounts.h"
#include "map.h"
#include "owner.h"
#include "ring_share.h"

/* What is kept of a socket. */
struct socket_state {
	__u64 address; /* of the socket; 0: the place is free, or the entry is not complete */
	__u64 cookie; /* distinguishes sockets that follow each other at one address */
	struct weir_socket socket;
	struct weir_socket_gauges gauges; /* samples that are not reported yet */
	__u32 retransmissions; /* the socket's counts when it was reported last */
	__u32 lost;
	__u32 activity; /* when it was sampled last */
	__u32 timeouts; /* not reported yet */
	__u32 oldest; /* the first byte that was not acknowledged when it was looked at last */
	__u32 pass; /* the last one that has looked at it */
	__u32 place; /* its index */
	__u16 share; /* the index of the share that it counts for */
	__u8 backoff; /* the socket's gauge of timeouts when it was looked at last */
	__u8 has_news; /* it was active since its last report */
};

/* Three cache lines. */
WEIR_ASSERT(sizeof(struct socket_state) == 192);

ARRAY_MAP(socket_states, struct socket_state, WEIR_MAX_SOCKETS);

/* The place of an entry, by the address of its socket. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WEIR_MAX_SOCKETS);
	__type(key, __u64);
	__type(value, __u32);
} sockets SEC(".maps");

/* ---- Shares ----------------------------------------------------------------------------- */

SHARED_ARRAY_MAP(socket_shares, struct weir_socket_share, WEIR_SOCKET_SHARES);

/* The use of the table by all interfaces together. */
struct socket_use {
	__u32 kept;
	__u32 next_group; /* with free places, probably */
};

ARRAY_MAP(socket_use, struct socket_use, 1);

static __always_inline struct socket_use *socket_use_now(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&socket_use, &first);
}

static __always_inline struct weir_socket_share *socket_share(__u32 position)
{
	return bpf_map_lookup_elem(&socket_shares, &position);
}

/* The position of a socket's interface; WEIR_SOCKET_SHARE_UNWATCHED if it is not watched, or not known. */
static __always_inline __u32 socket_position(const struct weir_socket *socket,
					     struct weir_account **account)
{
	__u32 position;

	*account = socket->ifindex ? account_find(socket->ifindex, WEIR_INGRESS, &position) : NULL;
	return *account ? position : WEIR_SOCKET_SHARE_UNWATCHED;
}

/*
 * Whether the reports of a socket are used: those of a workload's sockets at the interface of a workload,
 * and those of the host's at an interface of the host. A connection between the host and a workload is
 * reported by the workload's end. Sockets at an interface that is not watched (no account) report too:
 * the agent may be about to watch it.
 */
static __always_inline bool socket_reports_at(const struct weir_socket *socket,
					      const struct weir_account *account)
{
	bool is_host = socket->flags & WEIR_SOCKET_IS_HOST;

	return !account || is_host == !(account->flags & WEIR_INTERFACE_IS_WORKLOAD);
}

static __always_inline bool socket_reports_here(const struct weir_socket *socket)
{
	struct weir_account *account;

	socket_position(socket, &account);
	return socket_reports_at(socket, account);
}

/* Counts one socket less. The agent may clear a share meanwhile: then the count would fall below 0. */
static __always_inline void socket_share_leave(__u32 position, struct socket_use *use)
{
	struct weir_socket_share *share = socket_share(position);

	if (share && (__s32)__sync_fetch_and_sub(&share->kept.bytes, 1) <= 0)
		__sync_fetch_and_add(&share->kept.bytes, 1);
	if (use)
		__sync_fetch_and_sub(&use->kept, 1);
}

/*
 * Counts one socket more of an interface; false if it has used up its share. The shares that belong to no
 * interface get no more than what is reserved for them: all pods use them, and with more one pod could take
 * the room of the others.
 */
static __always_inline bool socket_share_enter(__u32 position, struct socket_use *use)
{
	struct weir_socket_share *share = socket_share(position);
	__u64 used = position < WEIR_MAX_INTERFACES ? use->kept : WEIR_MAX_SOCKETS;

	if (!share || !has_room(&share->kept, 1, used, WEIR_MAX_SOCKETS))
		return false;
	__sync_fetch_and_add(&share->kept.bytes, 1);
	__sync_fetch_and_add(&use->kept, 1);
	return true;
}

/* ---- Places ----------------------------------------------------------------------------- */

#define SOCKETS_A_GROUP 64
#define SOCKET_GROUPS (WEIR_MAX_SOCKETS / SOCKETS_A_GROUP)
#define SOCKET_NO_PLACE (~0U)
/* Groups that are searched for a free place: in order, then at random. */
#define NEXT_GROUPS 2
#define RANDOM_GROUPS 8

/* A bit for each place of a group of 64: whether it is in use. */
ARRAY_MAP(socket_groups, __u64, SOCKET_GROUPS);

/* The number of the lowest bit that is set. */
static __always_inline __u32 lowest_bit(__u64 bits)
{
	__u64 lowest = bits & -bits;

	return !!(lowest & 0xaaaaaaaaaaaaaaaaULL) | !!(lowest & 0xccccccccccccccccULL) << 1 |
	       !!(lowest & 0xf0f0f0f0f0f0f0f0ULL) << 2 | !!(lowest & 0xff00ff00ff00ff00ULL) << 3 |
	       !!(lowest & 0xffff0000ffff0000ULL) << 4 | !!(lowest & 0xffffffff00000000ULL) << 5;
}

/* Takes a free place of a group; SOCKET_NO_PLACE if there is none, or another CPU was faster. */
static __always_inline __u32 group_take(__u32 index)
{
	__u64 *group, used;
	__u32 bit;

	index &= SOCKET_GROUPS - 1;
	group = bpf_map_lookup_elem(&socket_groups, &index);
	if (!group)
		return SOCKET_NO_PLACE;
	used = *(volatile __u64 *)group;
	if (!~used)
		return SOCKET_NO_PLACE;
	bit = lowest_bit(~used) & (SOCKETS_A_GROUP - 1);
	if (__sync_fetch_and_or(group, 1ULL << bit) & 1ULL << bit)
		return SOCKET_NO_PLACE;
	return index * SOCKETS_A_GROUP + bit;
}

/* A global function, because the verifier then checks it once. */
__noinline __u32 socket_place_take(void)
{
	struct socket_use *use = socket_use_now();
	__u32 place = SOCKET_NO_PLACE;
	__u32 index;

	if (!use)
		return SOCKET_NO_PLACE;
	index = *(volatile __u32 *)&use->next_group;
	UNROLLED
	for (__u32 i = 0; i < NEXT_GROUPS + RANDOM_GROUPS; i++) {
		place = group_take(index);
		if (place != SOCKET_NO_PLACE)
			break;
		index = i < NEXT_GROUPS ? index + 1 : bpf_get_prandom_u32();
	}
	use->next_group = index;
	return place;
}

static __always_inline void socket_place_leave(__u32 place)
{
	__u32 index = place / SOCKETS_A_GROUP;
	__u64 *group = bpf_map_lookup_elem(&socket_groups, &index);

	if (group)
		__sync_fetch_and_and(group, ~(1ULL << (place % SOCKETS_A_GROUP)));
}

/* ---- Entries ---------------------------------------------------------------------------- */

static __always_inline struct socket_state *socket_at_place(__u32 place)
{
	return bpf_map_lookup_elem(&socket_states, &place);
}

static __always_inline struct socket_state *socket_entry(__u64 key)
{
	__u32 *place = bpf_map_lookup_elem(&sockets, &key);
	struct socket_state *state;

	if (!place)
		return NULL;
	state = socket_at_place(*place);
	return state && state->address == key ? state : NULL;
}

/* Removes an entry; another CPU may have done so already. */
static __always_inline void socket_leave(__u64 key, struct socket_state *state)
{
	__u32 place = state->place, share = state->share;
	long error;

	if (__sync_val_compare_and_swap(&state->address, key, 0) != key)
		return;
	error = bpf_map_delete_elem(&sockets, &key);
	if (error && error != -ENOENT) {
		/*
		 * The map is locked by a program that this one has interrupted. A later event removes the entry,
		 * which is no socket's: it is not reported again.
		 */
		state->cookie = ~0ULL;
		__sync_lock_test_and_set(&state->address, key);
		return;
	}
	socket_place_leave(place);
	socket_share_leave(share, socket_use_now());
}

/* The entry of a socket with a cookie; one that an earlier socket has left at its address is removed. */
static __always_inline struct socket_state *socket_entry_of(__u64 key, __u64 cookie)
{
	struct socket_state *state = socket_entry(key);

	if (!state || state->cookie == cookie)
		return state;
	socket_leave(key, state);
	return NULL;
}

/* Puts a state into a place that was taken; false if the kernel has no memory for it. */
static __always_inline bool socket_put(__u64 key, __u32 place, struct socket_state *state)
{
	struct socket_state *entry = socket_at_place(place);

	state->place = place;
	state->address = 0;
	if (!entry)
		return false;
	*entry = *state;
	if (bpf_map_update_elem(&sockets, &key, &place, BPF_NOEXIST))
		return false;
	/* The entry is complete: all of it is visible before its address is. */
	__sync_lock_test_and_set(&entry->address, key);
	return true;
}

/*
 * Counts a socket without an entry as missed, unless it does not report or its interface is not watched, or
 * not yet: then it still has its last report.
 */
static __always_inline void count_refusal(const struct socket_state *state)
{
	bool is_unplaced = state->share == WEIR_SOCKET_SHARE_UNWATCHED && !state->socket.ifindex;

	if (state->share < WEIR_MAX_INTERFACES || is_unplaced)
		count_loss();
}

/*
 * Makes an entry for a socket that has none; false if its share is used up. Sockets whose reports are not
 * used have a share of their own: the role of an interface may still change.
 */
static __always_inline bool socket_enter(__u64 key, struct socket_state *state)
{
	struct socket_use *use = socket_use_now();
	struct weir_account *account;
	__u32 place;

	if (!use)
		return false;
	state->share = socket_position(&state->socket, &account);
	if (!socket_reports_at(&state->socket, account))
		state->share = WEIR_SOCKET_SHARE_SILENT;
	if (!socket_share_enter(state->share, use)) {
		count_refusal(state);
		return false;
	}
	place = socket_place_take();
	if (place != SOCKET_NO_PLACE) {
		if (socket_put(key, place, state))
			return true;
		socket_place_leave(place);
	}
	count_refusal(state);
	socket_share_leave(state->share, use);
	return false;
}

#endif
