/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is read of a TCP socket: its counts, and samples of its gauges.
 *
 * A pointer whose type the verifier knows is read by plain loads. Any other address takes a call of a
 * helper for each member, several times as long.
 */
#ifndef WEIR_SOCKET_VALUES_H
#define WEIR_SOCKET_VALUES_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "socket_kernel.h"
#include "socket_table.h"

/* Counts are those since the connection began. */
struct socket_values {
	__u32 gauges[WEIR_GAUGES]; /* 0: not known */
	__u32 retransmissions;
	__u32 lost;
};

/* A member by a plain load, or by a helper; is_typed is a constant where this is inlined. */
#define READ_MEMBER(is_typed, pointer, member) \
	((is_typed) ? (pointer)->member : BPF_CORE_READ(pointer, member))

/* Changes whenever the socket sends or receives. */
static __always_inline __u32 activity_of(struct tcp_sock *tp, bool is_typed)
{
	return READ_MEMBER(is_typed, tp, segs_in) + READ_MEMBER(is_typed, tp, segs_out);
}

static __always_inline __u64 cookie_of(struct tcp_sock *tp, bool is_typed)
{
	struct sock *sk = (struct sock *)tp;

	return is_typed ? (__u64)tp->inet_conn.icsk_inet.sk.__sk_common.skc_cookie.counter :
			  (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

static __always_inline void look_at(struct tcp_sock *tp, bool is_typed,
				    struct socket_values *values)
{
	__u32 min_rtt = is_typed ? tp->rtt_min.s[0].v : BPF_CORE_READ(tp, rtt_min.s[0].v);

	values->gauges[WEIR_GAUGE_WINDOW] = READ_MEMBER(is_typed, tp, snd_cwnd);
	values->gauges[WEIR_GAUGE_RTT] = READ_MEMBER(is_typed, tp, srtt_us) >> 3;
	values->gauges[WEIR_GAUGE_MIN_RTT] = min_rtt == ~0U ? 0 : min_rtt;
	values->gauges[WEIR_GAUGE_MSS] = READ_MEMBER(is_typed, tp, mss_cache);
	values->retransmissions = READ_MEMBER(is_typed, tp, total_retrans);
	values->lost = READ_MEMBER(is_typed, tp, lost);
}

/*
 * Counts expiries of the timer. The socket's gauge counts those in a row: it is reset when anything
 * new is acknowledged. Only if the socket is locked, or has no other user.
 */
static __always_inline void note_timeouts(struct tcp_sock *tp, struct socket_state *state)
{
	__u32 now = tp->inet_conn.icsk_retransmits;
	__u32 oldest = tp->snd_una;
	__u32 before = oldest == state->oldest ? state->backoff : 0;

	if (now > before)
		__sync_fetch_and_add(&state->timeouts, now - before);
	state->backoff = now;
	state->oldest = oldest;
}

/*
 * Adds a sample of each gauge that is known. A pass and the last report may do this at the same time,
 * and then a sample may be missing or count twice.
 */
static __always_inline void sample(struct socket_state *state, const struct socket_values *values)
{
	if (!(state->socket.flags & WEIR_SOCKET_HAS_SAMPLE))
		return;
	UNROLLED
	for (int i = 0; i < WEIR_GAUGES; i++) {
		struct weir_gauge *gauge = &state->gauges.values[i];
		__u32 value = values->gauges[i];

		if (!value || gauge->sum > ~value || state->gauges.samples[i] == 0xffff)
			continue;
		if (!state->gauges.samples[i] || value < gauge->smallest)
			gauge->smallest = value;
		if (value > gauge->largest)
			gauge->largest = value;
		gauge->sum += value;
		state->gauges.samples[i]++;
	}
}

/* The growth of a count since it was reported. The last report takes the whole rest; a pass leaves
 * the part that another one is just reporting to that one. */
static __always_inline __u32 growth(__u32 *reported, __u32 now, bool is_last)
{
	__u32 before;

	if (is_last) {
		before = __sync_lock_test_and_set(reported, now);
		return (__s32)(now - before) > 0 ? now - before : 0;
	}
	before = *(volatile __u32 *)reported;
	if ((__s32)(now - before) <= 0 ||
	    __sync_val_compare_and_swap(reported, before, now) != before)
		return 0;
	return now - before;
}

/* Takes what is new of a socket into its report. */
static __always_inline void settle(struct socket_state *state, const struct socket_values *now,
				   bool is_last, struct weir_socket_report *report)
{
	report->retransmissions = growth(&state->retransmissions, now->retransmissions, is_last);
	report->lost = growth(&state->lost, now->lost, is_last);
	report->timeouts = __sync_lock_test_and_set(&state->timeouts, 0);
	report->pad = 0;
	__builtin_memcpy(&report->of, &state->socket, sizeof(report->of));
	__builtin_memcpy(&report->gauges, &state->gauges, sizeof(report->gauges));
}

/* Undoes what settle() did to the counts. */
static __always_inline void put_back(struct socket_state *state, const struct socket_values *now,
				     const struct weir_socket_report *report)
{
	if (report->retransmissions)
		__sync_val_compare_and_swap(&state->retransmissions, now->retransmissions,
					    now->retransmissions - report->retransmissions);
	if (report->lost)
		__sync_val_compare_and_swap(&state->lost, now->lost, now->lost - report->lost);
	if (report->timeouts)
		__sync_fetch_and_add(&state->timeouts, report->timeouts);
}

#endif
