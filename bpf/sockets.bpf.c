// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The statistics that the kernel's TCP sockets keep of their connections, for all network namespaces:
 * congestion window, round-trip times, segment size, retransmissions, losses; and their owners.
 *
 * No packet is looked at. A socket is entered in a table when its connection is established, and taken
 * out when the connection ends, with its last report. The agent samples the gauges of all sockets every
 * few seconds, and requests their reports when an interval ends (BPF_PROG_TEST_RUN of weir_socket_pass).
 * Both kinds of reports go through one ring. Sockets that are older than the programs are found once,
 * by an iterator over the files of all processes.
 *
 * A socket belongs to the node's interface that its packets cross: the other end of the pod's veth or
 * netkit, as the kernel itself stores it, so that no process can report another's connection.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define SOCKET_IS_TYPED false
#include "socket_pass.h"

static __always_inline struct tcp_sock *socket_at(__u64 key)
{
	return (struct tcp_sock *)key;
}

/* ---- Last reports ----------------------------------------------------------------------- */

/* Posts the last report of a socket; false if its interface has used up its share of the ring. */
static __always_inline bool post_last(const struct weir_socket_report *report)
{
	__u64 waiting = bpf_ringbuf_query(&socket_reports, BPF_RB_AVAIL_DATA);
	const __u32 size = sizeof(*report) + BPF_RINGBUF_HDR_SZ;
	struct weir_socket_share *share;
	struct weir_account *account;

	share = socket_share(socket_position(&report->of, &account));
	if (!share || !has_room(&share->ring, size, waiting, WEIR_SOCKET_RING))
		return false;
	if (!post(report, waiting >= WEIR_SOCKET_RING / 8 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP))
		return false;
	__sync_fetch_and_add(&share->ring.bytes, size);
	return true;
}

/* ---- Life of a connection --------------------------------------------------------------- */

/*
 * connect() and listen(): the process itself runs. Accepted sockets get the owner with the socket. Where
 * the kernel has no memory for it in the socket, an entry keeps it until the connection is established.
 *
 * The kernel resets no count of lost segments when a socket connects again, or listens then.
 */
static __always_inline void keep_owner(struct sock *sk, bool connects)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct weir_socket_owner *owner = place_of_owner(sk);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u32 lost = tp ? tp->lost : 0;
	struct socket_state state = {};

	if (owner) {
		own(owner, task);
		owner->lost = lost;
	} else if (connects) {
		own(&state.socket.owner, task);
		state.lost = lost;
		state.cookie = bpf_get_socket_cookie(sk);
		if (!socket_entry_of((__u64)sk, state.cookie))
			socket_enter((__u64)sk, &state);
	}
}

/* The state of a connection of which nothing was reported yet. */
static __always_inline void begin(struct sock *sk, struct socket_state *state)
{
	struct weir_socket_owner *owner = bpf_sk_storage_get(&socket_owners, sk, NULL, 0);

	if (owner) {
		state->socket.owner = *owner;
		state->lost = owner->lost;
	}
	state->cookie = bpf_get_socket_cookie(sk);
}

/* Enters a socket whose connection is being established, or a SYN of which was lost. */
static __always_inline void enter(struct sock *sk, __u32 flags)
{
	struct socket_state state = { .socket.flags = flags };
	struct socket_state *former;

	begin(sk, &state);
	former = socket_entry_of((__u64)sk, state.cookie);
	if (former) {
		former->socket.flags |= flags;
		if (place(sk, &former->socket) == PLACE_ELSEWHERE)
			socket_leave((__u64)sk, former);
		return;
	}
	if (place(sk, &state.socket) != PLACE_ELSEWHERE)
		socket_enter((__u64)sk, &state);
}

/* Reports what is new of a connection that ends. */
static __always_inline void report_last(struct sock *sk, struct tcp_sock *tp,
					struct socket_state *state)
{
	struct weir_socket_report report = {};
	struct socket_values now = {};
	__u32 activity = activity_of(tp, true);

	note_timeouts(tp, state);
	look_at(tp, true, &now);
	if (place(sk, &state->socket) != PLACE_FOUND || !socket_reports_here(&state->socket))
		return;
	if (activity != state->activity) {
		sample(state, &now);
		state->has_news = 1;
	}
	settle(state, &now, true, &report);
	if (!state->has_news && !report.retransmissions && !report.lost && !report.timeouts)
		return;
	if (!post_last(&report))
		count_loss();
}

/*
 * Reports the end of a connection. Without an entry it has failed, or its interface had used up its
 * share; then nothing of it was reported before, and the report has everything since it began, except
 * timeouts that were not the last in a row. Sockets that are older than the programs have no owner in
 * their storage, and without an entry no report.
 */
static __always_inline void end(struct sock *sk, struct tcp_sock *tp, bool was_established)
{
	struct socket_state unkept = {};
	struct socket_state *state;

	begin(sk, &unkept);
	state = socket_entry_of((__u64)sk, unkept.cookie);
	if (state) {
		report_last(sk, tp, state);
		socket_leave((__u64)sk, state);
		return;
	}
	if (!unkept.socket.owner.process)
		return;
	if (was_established)
		unkept.socket.flags = WEIR_SOCKET_HAS_SAMPLE;
	report_last(sk, tp, &unkept);
}

SEC("tp_btf/inet_sock_set_state")
int weir_socket_state(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];
	int before = (int)ctx[1], next = (int)ctx[2];
	struct tcp_sock *tp;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (next == TCP_SYN_SENT || next == TCP_LISTEN) {
		keep_owner(sk, next == TCP_SYN_SENT);
	} else if (next == TCP_ESTABLISHED) {
		enter(sk, WEIR_SOCKET_HAS_SAMPLE);
	} else if (next == TCP_CLOSE && before != TCP_LISTEN) {
		/* Before the counts are reset, or the socket is destroyed. */
		tp = bpf_skc_to_tcp_sock(sk);
		if (tp)
			end(sk, tp, before != TCP_SYN_SENT);
	}
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int weir_socket_retransmit(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct socket_state *state;

	if (!tp)
		return 0;
	state = socket_entry_of((__u64)sk, bpf_get_socket_cookie(sk));
	if (!state && sk->__sk_common.skc_state == TCP_SYN_SENT) {
		enter(sk, 0);
		state = socket_entry((__u64)sk);
	}
	if (state)
		note_timeouts(tp, state);
	return 0;
}

/* ---- Older sockets ---------------------------------------------------------------------- */

/* Whether a socket is one of TCP or UDP. The control sockets of the kernel have another type. */
static __always_inline bool has_owner(struct sock *sk)
{
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);
	__u16 type = BPF_CORE_READ(sk, sk_type);

	return (protocol == IPPROTO_TCP && type == SOCK_STREAM) ||
	       (protocol == IPPROTO_UDP && type == SOCK_DGRAM);
}

/* Enters a connection that is older than the programs. Its statistics begin here. */
static __always_inline void seed(struct sock *sk, struct task_struct *task, bool was_established)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	struct socket_state state = {};
	struct socket_values now = {};

	own(&state.socket.owner, task);
	state.socket.flags = was_established ? WEIR_SOCKET_HAS_SAMPLE : 0;
	state.cookie = bpf_get_socket_cookie(sk);
	look_at(tp, false, &now);
	state.retransmissions = now.retransmissions;
	state.lost = now.lost;
	state.backoff = BPF_CORE_READ(tp, inet_conn.icsk_retransmits);
	state.oldest = BPF_CORE_READ(tp, snd_una);
	state.activity = activity_of(tp, false);
	if (place(sk, &state.socket) != PLACE_ELSEWHERE)
		socket_enter((__u64)sk, &state);
}

SEC("iter/task_file")
int weir_socket_seed(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct weir_socket_owner *owner;
	struct socket_state *former;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;
	__u8 now;

	if (!task || !file)
		return 0;
	socket = (struct socket *)bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !has_owner(sk))
		return 0;
	now = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (now == TCP_LISTEN || BPF_CORE_READ(sk, sk_protocol) == IPPROTO_UDP) {
		owner = place_of_owner(sk);
		if (owner && !owner->process) {
			own(owner, task);
			if (now == TCP_LISTEN)
				owner->lost = BPF_CORE_READ((struct tcp_sock *)sk, lost);
		}
		return 0;
	}
	if (now == TCP_CLOSE)
		return 0;
	former = socket_entry_of((__u64)sk, bpf_get_socket_cookie(sk));
	if (!former)
		seed(sk, task, now != TCP_SYN_SENT);
	else if (!former->socket.owner.process) /* accepted while its listener had no owner yet */
		own(&former->socket.owner, task);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
