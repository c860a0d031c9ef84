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
#include <linux/errno.h>
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

/* ---- Older listeners of MPTCP ----------------------------------------------------------- */

/*
 * A listener of MPTCP uses an inner TCP socket to which no file refers, so that the iterator over files
 * cannot store an owner in it. The connections that it accepts find the owner here.
 */
struct listener {
	__be32 address[4]; /* IPv4: ::ffff:a.b.c.d */
	__u32 netns; /* inode number */
	__u16 port;
	__u16 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct listener);
	__type(value, struct weir_socket_owner);
} older_listeners SEC(".maps");

/* The local end of a socket. */
static __always_inline struct listener listener_of(struct sock *sk)
{
	struct weir_socket socket = {};
	struct listener listener = {};

	keep_addresses(sk, &socket);
	__builtin_memcpy(listener.address, socket.local, sizeof(listener.address));
	listener.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	listener.port = socket.local_port;
	return listener;
}

/* The owner of the older listener that has accepted a socket: on its address, or on any of IPv6 or IPv4. */
static __always_inline struct weir_socket_owner *listener_owner(struct sock *sk)
{
	struct listener listener = listener_of(sk);
	struct weir_socket_owner *owner;

	owner = bpf_map_lookup_elem(&older_listeners, &listener);
	if (owner)
		return owner;
	__builtin_memset(listener.address, 0, sizeof(listener.address));
	owner = bpf_map_lookup_elem(&older_listeners, &listener);
	if (owner)
		return owner;
	listener.address[2] = (__be32)__builtin_bswap32(0xffff);
	return bpf_map_lookup_elem(&older_listeners, &listener);
}

/* The storage of a socket that is being established; an accepted one may have an older listener of MPTCP. */
static __always_inline struct weir_socket_storage *adopted_storage_of(struct sock *sk)
{
	struct weir_socket_storage *storage = known_storage_of(sk);
	struct weir_socket_owner *owner;

	if (storage)
		return storage;
	owner = listener_owner(sk);
	storage = owner ? storage_of(sk) : NULL;
	if (storage)
		storage->owner = *owner;
	return storage;
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
	struct weir_socket_storage *storage = storage_of(sk);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u32 lost = tp ? tp->lost : 0;
	struct socket_state state = {};

	if (storage) {
		own(&storage->owner, task);
		storage->lost = lost;
		storage->ifindex = 0;
	} else if (connects) {
		own(&state.socket.owner, task);
		state.lost = lost;
		state.cookie = bpf_get_socket_cookie(sk);
		if (!socket_entry_of((__u64)sk, state.cookie))
			socket_enter((__u64)sk, &state);
	}
}

/* The state of a connection of which nothing was reported yet. */
static __always_inline void begin(struct sock *sk, const struct weir_socket_storage *storage,
				  struct socket_state *state)
{
	if (storage) {
		state->socket.owner = storage->owner;
		state->lost = storage->lost;
	}
	state->cookie = bpf_get_socket_cookie(sk);
}

/* Enters a socket whose connection is being established, or that sends a segment again. */
static __always_inline void enter(struct sock *sk, struct weir_socket_storage *storage, __u32 flags)
{
	struct socket_state state = { .socket.flags = flags };
	struct socket_state *former;

	begin(sk, storage, &state);
	former = socket_entry_of((__u64)sk, state.cookie);
	if (former) {
		former->socket.flags |= flags;
		if (find_place(sk, &former->socket) == PLACE_ELSEWHERE)
			socket_leave((__u64)sk, former);
		return;
	}
	if (find_place(sk, &state.socket) == PLACE_ELSEWHERE || socket_enter((__u64)sk, &state))
		return;
	/* Its route may be dead when it ends. */
	if (storage) {
		storage->ifindex = state.socket.ifindex;
		storage->flags = state.socket.flags & WEIR_SOCKET_IS_HOST;
	}
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
	if (find_place(sk, &state->socket) != PLACE_FOUND || !socket_reports_here(&state->socket))
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
	struct weir_socket_storage *storage = known_storage_of(sk);
	struct socket_state unkept = {};
	struct socket_state *state;

	begin(sk, storage, &unkept);
	state = socket_entry_of((__u64)sk, unkept.cookie);
	if (state) {
		report_last(sk, tp, state);
		socket_leave((__u64)sk, state);
		return;
	}
	if (!storage || !storage->owner.process)
		return;
	if (was_established)
		unkept.socket.flags = WEIR_SOCKET_HAS_SAMPLE;
	if (find_place(sk, &unkept.socket) == PLACE_UNKNOWN && storage->ifindex)
		place_again(sk, &unkept.socket, storage->ifindex, storage->flags);
	report_last(sk, tp, &unkept);
}

/*
 * A program of its own, because the kernel does not run a program on a CPU that runs it already: packets
 * may establish and end other connections while a process is in this one.
 */
SEC("tp_btf/inet_sock_set_state")
int weir_socket_owner(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];
	int next = (int)ctx[2];

	if (sk->sk_protocol == IPPROTO_TCP && (next == TCP_SYN_SENT || next == TCP_LISTEN))
		keep_owner(sk, next == TCP_SYN_SENT);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int weir_socket_state(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];
	int before = (int)ctx[1], next = (int)ctx[2];
	struct tcp_sock *tp;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (next == TCP_ESTABLISHED) {
		enter(sk, adopted_storage_of(sk), WEIR_SOCKET_HAS_SAMPLE);
	} else if (next == TCP_CLOSE && before != TCP_LISTEN && before != TCP_CLOSE) {
		/* Before the counts are reset, or the socket is destroyed. */
		tp = bpf_skc_to_tcp_sock(sk);
		if (tp)
			end(sk, tp, before != TCP_SYN_SENT);
	}
	return 0;
}

/* The end of a socket whose entry is still there, because the kernel did not run the program above. */
SEC("tp_btf/tcp_destroy_sock")
int weir_socket_destroy(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct socket_state *state = socket_entry((__u64)sk);
	struct tcp_sock *tp;

	if (!state)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp && state->cookie == bpf_get_socket_cookie(sk))
		report_last(sk, tp, state);
	socket_leave((__u64)sk, state);
	return 0;
}

/* Whether a socket is to be entered that has no entry: the kernel may not have run the program for it. */
static __always_inline bool is_missed(struct sock *sk, const struct weir_socket_storage *storage)
{
	if (sk->__sk_common.skc_state == TCP_SYN_SENT)
		return true;
	return storage && storage->owner.process && !storage->ifindex;
}

SEC("tp_btf/tcp_retransmit_skb")
int weir_socket_retransmit(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct weir_socket_storage *storage;
	struct socket_state *state;

	if (!tp)
		return 0;
	state = socket_entry_of((__u64)sk, bpf_get_socket_cookie(sk));
	if (!state) {
		storage = known_storage_of(sk);
		if (!is_missed(sk, storage))
			return 0;
		enter(sk, storage,
		      sk->__sk_common.skc_state == TCP_SYN_SENT ? 0 : WEIR_SOCKET_HAS_SAMPLE);
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
	if (find_place(sk, &state.socket) != PLACE_ELSEWHERE)
		socket_enter((__u64)sk, &state);
}

/* Stores the owner of a socket that has none: a listener, or one of UDP. */
static __always_inline void store_owner(struct sock *sk, struct task_struct *task, bool listens)
{
	struct weir_socket_storage *storage = storage_of(sk);

	if (!storage || storage->owner.process)
		return;
	own(&storage->owner, task);
	if (listens)
		storage->lost = BPF_CORE_READ((struct tcp_sock *)sk, lost);
}

static __always_inline void keep_listener(struct sock *sk, struct task_struct *task)
{
	struct listener listener = listener_of(sk);
	struct weir_socket_owner owner = {};
	long error;

	own(&owner, task);
	error = bpf_map_update_elem(&older_listeners, &listener, &owner, BPF_NOEXIST);
	if (error && error != -EEXIST)
		count_loss();
}

SEC("iter/task_file")
int weir_socket_seed(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
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
	if (!sk)
		return 0;
	now = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_MPTCP) {
		if (now == TCP_LISTEN)
			keep_listener(sk, task);
		return 0;
	}
	if (!has_owner(sk))
		return 0;
	if (now == TCP_LISTEN || BPF_CORE_READ(sk, sk_protocol) == IPPROTO_UDP) {
		store_owner(sk, task, now == TCP_LISTEN);
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
