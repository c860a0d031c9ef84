// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The statistics that the kernel's TCP sockets keep of their connections, for all network namespaces:
 * congestion window, round-trip times, segment size, retransmissions, losses; and their owners.
 *
 * No packet is looked at. A socket is entered in a map when its connection is established, and taken
 * out when it is destroyed. The agent requests all reports every few seconds (BPF_PROG_TEST_RUN
 * of weir_socket_pass); the last report of a socket is sent when it is destroyed. Both kinds go
 * through one ring. Sockets that are older than the programs are found once, by an iterator over the
 * files of all processes.
 *
 * A socket belongs to the node's interface that its packets cross: the other end of the pod's veth or
 * netkit, as the kernel itself stores it, so that no process can report another's connection.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "weir_abi.h"
#include "map.h"
#include "owner.h"
#include "socket_kernel.h"

const volatile struct weir_socket_config socket_config = {};

/* The state that is kept of a socket. */
struct socket_state {
	__u64 cookie;
	__be32 local[4];
	__be32 remote[4];
	__be16 local_port;
	__be16 remote_port;
	__u32 ifindex; /* 0: not known yet, nor the addresses */
	__u32 flags; /* WEIR_SOCKET_* */
	__u32 retransmissions; /* the socket's counts when it was reported last */
	__u32 lost;
	__u32 activity;
	__u32 timeouts; /* not reported yet */
	__u32 backoff; /* the socket's gauge of timeouts when it was looked at last */
	__u32 oldest; /* the first byte that was not acknowledged then */
	__u32 pass; /* the last one that has looked at it */
	struct weir_socket_owner owner;
};

/* By the socket's address; the cookie distinguishes sockets that follow each other at one address. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WEIR_MAX_SOCKETS);
	__type(key, __u64);
	__type(value, struct socket_state);
} sockets SEC(".maps");

RING_MAP(socket_reports, WEIR_SOCKET_RING);

/* ---- Where a socket belongs ------------------------------------------------------------- */

static __always_inline bool is_home(struct net_device *device)
{
	return BPF_CORE_READ(device, nd_net.net, ns.inum) == socket_config.netns;
}

/* The other end of a veth or netkit: the first thing in either's private part. */
static __always_inline struct net_device *peer_of(struct net_device *device)
{
	struct net_device___link *link = (void *)device;
	const char *kind = BPF_CORE_READ(link, rtnl_link_ops, kind);
	unsigned long size = (bpf_core_type_size(struct net_device) + 31) & ~31UL;
	struct net_device *peer = NULL;
	char name[8] = {};

	if (!kind || bpf_probe_read_kernel_str(name, sizeof(name), kind) < 0)
		return NULL;
	if (__builtin_memcmp(name, "veth", 5) && __builtin_memcmp(name, "netkit", 7))
		return NULL;
	bpf_probe_read_kernel(&peer, sizeof(peer), (void *)device + size);
	return peer;
}

static __always_inline void keep_addresses(struct sock *sk, struct socket_state *state)
{
	struct sock_common *common = &sk->__sk_common;

	if (BPF_CORE_READ(common, skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&state->local, common, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&state->remote, common, skc_v6_daddr);
	} else {
		state->local[2] = state->remote[2] = (__be32)__builtin_bswap32(0xffff);
		state->local[3] = BPF_CORE_READ(common, skc_rcv_saddr);
		state->remote[3] = BPF_CORE_READ(common, skc_daddr);
	}
	state->local_port = BPF_CORE_READ((struct inet_sock *)sk, inet_sport);
	state->remote_port = BPF_CORE_READ(common, skc_dport);
}

/* Finds the interface and the addresses of a socket that has both ends; whether they are known. */
static __always_inline bool place(struct sock *sk, struct socket_state *state)
{
	struct net_device *device, *peer;
	__u32 flags = 0;

	if (state->ifindex)
		return true;
	device = BPF_CORE_READ(sk, sk_dst_cache, dev);
	if (!device)
		return false;
	if (is_home(device)) {
		flags = WEIR_SOCKET_IS_HOST;
	} else {
		peer = peer_of(device);
		if (!peer || !is_home(peer))
			return false;
		device = peer;
	}
	keep_addresses(sk, state);
	state->flags |= flags;
	state->ifindex = BPF_CORE_READ(device, ifindex);
	return true;
}

/* ---- Its report ------------------------------------------------------------------------- */

/*
 * Counts expiries of the timer. The socket's gauge counts those in a row: it is reset when anything
 * new is acknowledged. Only if the socket is locked, or has no other user.
 */
static __always_inline void note_timeouts(struct tcp_sock *tp, struct socket_state *state)
{
	__u32 now = BPF_CORE_READ(tp, inet_conn.icsk_retransmits);
	__u32 oldest = BPF_CORE_READ(tp, snd_una);
	__u32 before = oldest == state->oldest ? state->backoff : 0;

	if (now > before)
		__sync_fetch_and_add(&state->timeouts, now - before);
	state->backoff = now;
	state->oldest = oldest;
}

static __always_inline __u32 activity_of(struct tcp_sock *tp)
{
	return BPF_CORE_READ(tp, segs_in) + BPF_CORE_READ(tp, segs_out);
}

/* Reads the gauges, and the counts since the connection began. */
static __always_inline void look_at(struct tcp_sock *tp, struct weir_socket_report *report)
{
	__u32 min_rtt = BPF_CORE_READ(tp, rtt_min.s[0].v);

	report->window = BPF_CORE_READ(tp, snd_cwnd);
	report->rtt = BPF_CORE_READ(tp, srtt_us) >> 3;
	report->min_rtt = min_rtt == ~0U ? 0 : min_rtt;
	report->mss = BPF_CORE_READ(tp, mss_cache);
	report->retransmissions = BPF_CORE_READ(tp, total_retrans);
	report->lost = BPF_CORE_READ(tp, lost);
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

/* Makes counts of the connection those since the last report; whether there is anything new to report. */
static __always_inline bool settle(struct socket_state *state, __u32 activity, bool is_last,
				   struct weir_socket_report *report)
{
	report->retransmissions = growth(&state->retransmissions, report->retransmissions, is_last);
	report->lost = growth(&state->lost, report->lost, is_last);
	report->timeouts = __sync_lock_test_and_set(&state->timeouts, 0);
	if (activity == state->activity && !report->retransmissions && !report->lost &&
	    !report->timeouts)
		return false;
	__builtin_memcpy(report->local, state->local, sizeof(report->local));
	__builtin_memcpy(report->remote, state->remote, sizeof(report->remote));
	report->local_port = state->local_port;
	report->remote_port = state->remote_port;
	report->ifindex = state->ifindex;
	report->flags = state->flags;
	__builtin_memcpy(&report->owner, &state->owner, sizeof(report->owner));
	return true;
}

/* Undoes what settle() did to the state of another socket. */
static __always_inline void put_back(struct socket_state *state, __u32 retransmissions, __u32 lost,
				     const struct weir_socket_report *report)
{
	if (report->retransmissions)
		__sync_val_compare_and_swap(&state->retransmissions, retransmissions,
					    retransmissions - report->retransmissions);
	if (report->lost)
		__sync_val_compare_and_swap(&state->lost, lost, lost - report->lost);
	if (report->timeouts)
		__sync_fetch_and_add(&state->timeouts, report->timeouts);
}

/* ---- Ring ------------------------------------------------------------------------------- */

static __always_inline bool post(const struct weir_socket_report *report, __u64 flags)
{
	return !bpf_ringbuf_output(&socket_reports, (void *)report, sizeof(*report), flags);
}

/* ---- Life of a socket ------------------------------------------------------------------- */

static __always_inline struct socket_state *enter(struct sock *sk, const struct socket_state *state)
{
	__u64 key = (__u64)sk;

	if (bpf_map_update_elem(&sockets, &key, state, BPF_ANY)) {
		count_loss();
		return NULL;
	}
	return bpf_map_lookup_elem(&sockets, &key);
}

static __always_inline struct socket_state *known(struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&sockets, &key);
}

/* connect(): the process itself runs. */
static __always_inline void begin(struct sock *sk)
{
	struct socket_state state = {};

	own(&state.owner, (struct task_struct *)bpf_get_current_task_btf());
	state.cookie = bpf_get_socket_cookie(sk);
	enter(sk, &state);
}

/* listen(): the process itself runs, and the sockets that are accepted get the owner with the socket. */
static __always_inline void listen(struct sock *sk)
{
	struct weir_socket_owner *owner = place_of_owner(sk);

	if (owner)
		own(owner, (struct task_struct *)bpf_get_current_task_btf());
}

static __always_inline void accept(struct sock *sk)
{
	struct weir_socket_owner *owner = bpf_sk_storage_get(&socket_owners, sk, NULL, 0);
	struct socket_state state = { .flags = WEIR_SOCKET_HAS_SAMPLE };
	struct socket_state *former = known(sk);

	state.cookie = bpf_get_socket_cookie(sk);
	/* Where both ends call connect(), nobody accepts. */
	if (former && former->cookie == state.cookie)
		state.owner = former->owner;
	else if (owner)
		state.owner = *owner;
	place(sk, &state);
	enter(sk, &state);
}

/* Reports what is new of a socket that is about to lose its counts. */
static __always_inline void report_last(struct sock *sk, struct socket_state *state)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	struct weir_socket_report report = {};
	__u32 activity = activity_of(tp);
	bool wakes;

	note_timeouts(tp, state);
	look_at(tp, &report);
	if (!place(sk, state) || !settle(state, activity, true, &report))
		return;
	state->activity = activity;
	wakes = bpf_ringbuf_query(&socket_reports, BPF_RB_AVAIL_DATA) >= WEIR_SOCKET_RING / 4;
	if (!post(&report, wakes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP))
		count_loss();
}

SEC("tp_btf/inet_sock_set_state")
int weir_socket_state(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];
	int before = (int)ctx[1], next = (int)ctx[2];
	struct socket_state *state;

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	if (next == TCP_SYN_SENT) {
		begin(sk);
	} else if (next == TCP_LISTEN) {
		listen(sk);
	} else if (next == TCP_ESTABLISHED && before != TCP_SYN_SENT) {
		accept(sk);
	} else {
		state = known(sk);
		if (!state)
			return 0;
		if (next == TCP_ESTABLISHED)
			state->flags |= WEIR_SOCKET_HAS_SAMPLE;
		place(sk, state);
		/* Where connect() has failed, it resets the socket before it returns. */
		if (before == TCP_SYN_SENT && next == TCP_CLOSE)
			report_last(sk, state);
	}
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int weir_socket_retransmit(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct socket_state *state = known(sk);

	if (state)
		note_timeouts((struct tcp_sock *)sk, state);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int weir_socket_end(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct socket_state *state = known(sk);
	__u64 key = (__u64)sk;

	if (!state)
		return 0;
	report_last(sk, state);
	bpf_map_delete_elem(&sockets, &key);
	return 0;
}

/* ---- Passes of the agent ---------------------------------------------------------------- */

static __always_inline __u64 cookie_of(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

/* Removes the entry of a socket whose end was not seen, but not that of a later socket at its address. */
static __always_inline void forget_unseen(__u64 *key, struct sock *sk)
{
	struct socket_state *state = bpf_map_lookup_elem(&sockets, key);

	if (state && state->cookie != cookie_of(sk))
		bpf_map_delete_elem(&sockets, key);
}

/*
 * No reference keeps the socket or its entry in the map: both may be reused at any time. So values
 * that were read count only if the socket is still the same one afterwards; otherwise the changes of
 * the entry are undone.
 */
static long visit(void *map, __u64 *key, struct socket_state *state, struct weir_socket_pass *pass)
{
	struct weir_socket_report report = {};
	__u32 activity, retransmissions, lost;
	struct tcp_sock *tp;
	struct sock *sk;
	__u64 cookie;
	bool is_new;

	(void)map;
	if (state->pass == pass->number)
		return 0;
	sk = (struct sock *)*key;
	tp = (struct tcp_sock *)sk;
	cookie = state->cookie;
	activity = activity_of(tp);
	if (cookie_of(sk) != cookie) {
		forget_unseen(key, sk);
		return 0;
	}
	/* A socket without new activity has nothing to report. */
	if (activity == state->activity)
		return 0;
	if (bpf_ringbuf_query(&socket_reports, BPF_RB_AVAIL_DATA) >= WEIR_SOCKET_RING / 2) {
		pass->has_more = 1;
		return 1;
	}
	is_new = !state->ifindex;
	if (!place(sk, state))
		return 0;
	look_at(tp, &report);
	retransmissions = report.retransmissions;
	lost = report.lost;
	if (cookie_of(sk) != cookie)
		return 0;
	settle(state, activity, false, &report);
	if (*(volatile __u64 *)&state->cookie != cookie) {
		put_back(state, retransmissions, lost, &report);
		if (is_new)
			state->ifindex = 0;
		return 0;
	}
	if (!post(&report, BPF_RB_NO_WAKEUP)) {
		put_back(state, retransmissions, lost, &report);
		pass->has_more = 1;
		return 1;
	}
	state->pass = pass->number;
	state->activity = activity;
	return 0;
}

/* Reports every socket with new activity, as long as there is room in the ring. */
SEC("syscall")
int weir_socket_pass(struct weir_socket_pass *ctx)
{
	struct weir_socket_pass pass = *ctx;

	bpf_for_each_map_elem(&sockets, visit, &pass, 0);
	return pass.has_more;
}

/* Whether a socket is one of TCP or UDP. The control sockets of the kernel have another type. */
static __always_inline bool has_owner(struct sock *sk)
{
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);
	__u16 type = BPF_CORE_READ(sk, sk_type);

	return (protocol == IPPROTO_TCP && type == SOCK_STREAM) ||
	       (protocol == IPPROTO_UDP && type == SOCK_DGRAM);
}

/* Registers a socket that is older than the programs. Its statistics begin here. */
SEC("iter/task_file")
int weir_socket_seed(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct socket_state state = {};
	struct weir_socket_owner *owner;
	struct socket_state *former;
	struct file *file = ctx->file;
	struct socket *socket;
	struct tcp_sock *tp;
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
		if (owner && !owner->process)
			own(owner, task);
		return 0;
	}
	if (now == TCP_CLOSE)
		return 0;
	former = known(sk);
	if (former) {
		/* Accepted while its listener had no owner yet. */
		if (!former->owner.process)
			own(&former->owner, task);
		return 0;
	}
	tp = (struct tcp_sock *)sk;
	own(&state.owner, task);
	state.flags = now == TCP_SYN_SENT ? 0 : WEIR_SOCKET_HAS_SAMPLE;
	state.cookie = bpf_get_socket_cookie(sk);
	state.retransmissions = BPF_CORE_READ(tp, total_retrans);
	state.lost = BPF_CORE_READ(tp, lost);
	state.backoff = BPF_CORE_READ(tp, inet_conn.icsk_retransmits);
	state.oldest = BPF_CORE_READ(tp, snd_una);
	state.activity = activity_of(tp);
	place(sk, &state);
	enter(sk, &state);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
