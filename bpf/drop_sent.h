/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Packets that a program behind Weir's drops on egress: a clsact filter where Weir uses TCX, or a
 * TCX program that was put last. They were counted as sent and did not leave: they are subtracted
 * from the counts, and the drop is counted as that of any other packet.
 *
 * This runs where the egress program ran just before, on the same CPU and with bottom halves off.
 * The agent corrects counts that it read in between (FlowTableReader). A packet without a slot stays
 * counted.
 */
#ifndef WEIR_DROP_SENT_H
#define WEIR_DROP_SENT_H

#include "account.h"
#include "drop_count.h"
#include "dropped.h"

/* A packet that was counted as sent. */
struct sent {
	__u32 position; /* of the interface */
	__u32 ifindex;
	__u32 length; /* of the skb */
};

/* Finds the interface whose egress program has counted a packet that is dropped there; false: none has. */
static __always_inline bool sent_find(struct sk_buff *skb, struct sent *sent)
{
	struct net_device *device = skb->dev;
	struct weir_account *account;

	if (!device || device->nd_net.net->ns.inum != drop_config.netns)
		return false;
	sent->ifindex = device->ifindex;
	sent->length = skb->len;
	account = account_find(sent->ifindex, WEIR_EGRESS, &sent->position);
	return account && account->flags & WEIR_INTERFACE_EGRESS_FIRST;
}

/* Takes a packet out of its slot's counts: out of the lane that this CPU has just added it to. */
static __always_inline void slot_take_back(struct weir_flow_slot *slot, __u32 index,
					   const struct weir_pair *wire)
{
	__u32 owner =
		*(volatile __u32 *)&slot->owner >> WEIR_OWNER_BITS * WEIR_EGRESS & WEIR_OWNER_MASK;
	volatile __u64 *lane = &slot->lane[WEIR_EGRESS];
	struct weir_pair less = { .packets = -wire->packets, .bytes = -wire->bytes };
	__u64 sum = *lane;

	if (owner && owner == owner_number() && (sum & WEIR_LANE_BYTES) >= wire->bytes &&
	    sum >> WEIR_LANE_BYTES_BITS >= wire->packets) {
		*lane = sum - lane_of(wire);
	} else {
		/* The mark comes last: a reader that sees it sees both lines. */
		rest_add(index, &less, WEIR_EGRESS);
		__sync_fetch_and_or(&slot->marks, WEIR_MARK_SHARED);
	}
	slot_mark_dropped(index);
}

/* Takes a packet that was counted as sent back; returns 0. key: room for one. */
__noinline int sent_take_back(const struct sent *sent, const struct packet *packet,
			      struct weir_flow_key *key)
{
	struct weir_account *account;
	struct weir_flow_slot *slot;
	__u64 place;
	__u32 index;

	if (!sent || !packet || !key)
		return 0;
	account = account_at(sent->position, WEIR_EGRESS);
	flow_key_init(key, packet, sent->position, WEIR_EGRESS);
	slot = slot_find(key, &index, &place);
	if (!account || !slot)
		return 0;
	slot_take_back(slot, index, &packet->wire);
	pair_add(&account->skb, -1, -(__u64)sent->length);
	pair_add(&account->seen, -packet->wire.packets, -packet->wire.bytes);
	return 0;
}

#endif
