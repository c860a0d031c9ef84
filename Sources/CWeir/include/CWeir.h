/*
 * The C that Swift needs: the contract with the BPF programs, the embedded programs, libbpf, and
 * the few system calls and kernel headers that Swift cannot reach by itself.
 */
#ifndef CWEIR_H
#define CWEIR_H

#include "weir_abi.h"
#include "weir_claim.h"
#include "weir_description.h"
#include "weir_drops.h"
#include "weir_libbpf.h"
#include "weir_memory.h"
#include "weir_netns.h"
#include "weir_objects.h"
#include "weir_reported.h"
#include "weir_ring.h"
#include "weir_slots.h"
#include "weir_sys.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#endif
