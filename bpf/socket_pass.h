/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The program of a pass over all sockets, which the agent runs.
 *
 * The including file defines SOCKET_IS_TYPED, whether the verifier knows the type of what socket_at()
 * returns, and that function.
 */
#ifndef WEIR_SOCKET_PASS_H
#define WEIR_SOCKET_PASS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "map.h"
#include "socket_kernel.h"
#include "socket_place.h"
#include "socket_table.h"
#include "socket_values.h"

RING_MAP(socket_reports, WEIR_SOCKET_RING);

/* The socket at an address. */
static __always_inline struct tcp_sock *socket_at(__u64 key);

static __always_inline bool post(const struct weir_socket_report *report, __u64 flags)
{
	return !bpf_ringbuf_output(&socket_reports, (void *)report, sizeof(*report), flags);
}

/*
 * Samples the gauges of a socket that was active, and reports what is new if the pass does. Returns 1
 * if the ring has no room for more.
 *
 * No reference keeps the socket or its entry: both may be reused at any time. So values that were read
 * count only if the socket is still the same one afterwards; otherwise changes of counts are undone.
 *
 * A global function, because the verifier then checks it once.
 */
__noinline int visit_socket(__u32 place, struct weir_socket_pass *pass)
{
	struct socket_state *state = socket_at_place(place);
	struct weir_socket_report report = {};
	struct socket_values now = {};
	struct tcp_sock *tp;
	__u64 key, cookie;
	__u32 activity;

	if (!pass || !state || state->pass == pass->number)
		return 0;
	key = *(volatile __u64 *)&state->address;
	if (!key)
		return 0;
	tp = socket_at(key);
	cookie = state->cookie;
	activity = activity_of(tp, SOCKET_IS_TYPED);
	if (cookie_of(tp, SOCKET_IS_TYPED) != cookie) {
		/* Its end was not seen. Meanwhile the entry may have become that of the next socket. */
		state = socket_entry(key);
		if (state && state->cookie == cookie)
			socket_leave(key, state);
		return 0;
	}
	if (activity == state->activity && !(pass->reports && state->has_news))
		return 0;
	if (find_place((struct sock *)key, &state->socket) != PLACE_FOUND ||
	    !socket_reports_here(&state->socket))
		return 0;
	look_at(tp, SOCKET_IS_TYPED, &now);
	if (cookie_of(tp, SOCKET_IS_TYPED) != cookie)
		return 0;
	if (activity != state->activity) {
		sample(state, &now);
		state->activity = activity;
		state->has_news = 1;
	}
	if (!pass->reports) {
		state->pass = pass->number;
		return 0;
	}
	settle(state, &now, false, &report);
	if (*(volatile __u64 *)&state->cookie != cookie) {
		put_back(state, &now, &report);
		return 0;
	}
	if (!post(&report, BPF_RB_NO_WAKEUP)) {
		put_back(state, &now, &report);
		return 1;
	}
	state->pass = pass->number;
	state->has_news = 0;
	__builtin_memset(&state->gauges, 0, sizeof(state->gauges));
	return 0;
}

static long visit_group(void *map, __u32 *index, __u64 *group, struct weir_socket_pass *pass)
{
	(void)map;
	if (!*group)
		return 0;
	for (__u32 i = 0; i < SOCKETS_A_GROUP; i++) {
		bool is_full;

		if (!(*group >> i & 1))
			continue;
		is_full = bpf_ringbuf_query(&socket_reports, BPF_RB_AVAIL_DATA) >=
			  WEIR_SOCKET_RING / 2;
		if (is_full || visit_socket(*index * SOCKETS_A_GROUP + i, pass)) {
			pass->has_more = 1;
			return 1;
		}
	}
	return 0;
}

SEC("syscall")
int weir_socket_pass(struct weir_socket_pass *ctx)
{
	struct weir_socket_pass pass = *ctx;

	bpf_for_each_map_elem(&socket_groups, visit_group, &pass, 0);
	return pass.has_more;
}

#endif
