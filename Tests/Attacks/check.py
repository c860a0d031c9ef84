"""Compares records, report and the kernel's counters of a run: check.py FOLDER CHECK ARGUMENTS.

totals                        every run: the records have all packets of the interfaces
calls COUNT [PORT]            records have all flows of the victim with their ports, and no other flow under its name
wait_for_records              waits until all sent packets are in records
named PORT PACKETS NAME       records have so many packets to a port, all with this source name; "-" is no name
others MOST                   records with a name, but not the attacker's, have at most so many packets
direction PORT NAME           all records of a connection have that destination port, and that pod as the source
"""
import json
import os
import sys
import time

folder, what, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
wrong = 0


def expect(text, is_right):
    global wrong
    wrong += not is_right
    print(f"  {'ok    ' if is_right else 'WRONG '} {text}")


def records():
    with open(os.path.join(folder, "records"), encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def statistics(name):
    with open(os.path.join(folder, name), encoding="utf-8") as lines:
        return {words[0]: (int(words[1]), int(words[2])) for words in map(str.split, lines)}


def packets(pair):
    return pair["packets"]


def totals():
    with open(os.path.join(folder, "report"), encoding="utf-8") as file:
        report = json.load(file)
    expect("the account is balanced", report["balanced"])
    before, after = statistics("before"), statistics("after")
    for interface in report["interfaces"]:
        name = interface["name"]
        seen = packets(interface["ingress"]["skb"]), packets(interface["egress"]["skb"])
        counted = tuple(late - early for late, early in zip(after[name], before[name]))
        expect(f"{name}: {seen} packets seen, the kernel counted {counted}", seen == counted)
    account, sums = report["records"], report["totals"]
    total = sum(record["packets_in"] + record["packets_out"] for record in records())
    recorded = packets(account["recorded"])
    expect(f"records have {total} packets, the report says {recorded}", total == recorded)
    none = account["unrecorded"]
    missing = sum(packets(none[reason]) for reason in ("transit", "not_ip", "unparsed"))
    seen = sum(packets(sums[direction]["seen"]) for direction in ("ingress", "egress"))
    # Packets that are denied before they are counted are in records, but not among the packets seen.
    unseen = sum(packets(sums[direction]["denied"]["seen"]) for direction in ("egress",))
    elsewhere = packets(account["elsewhere"])
    expect(
        f"{recorded} in records + {elsewhere} of another interface + {missing} in none for a reason = "
        f"{seen} seen + {unseen} denied unseen",
        recorded + elsewhere + missing == seen + unseen and packets(none["unknown"]) == 0,
    )


def wait_for_records():
    """Waits until no record has had a packet for seven seconds; idle flows are in records, too."""
    path = os.path.join(folder, "records")
    place, rest, last = 0, b"", time.monotonic()
    while time.monotonic() - last < 7:
        time.sleep(0.5)
        with open(path, "rb") as file:
            file.seek(place)
            lines = (rest + file.read()).split(b"\n")
            place = file.tell()
        rest = lines.pop()
        if any(record["packets_in"] + record["packets_out"] for record in map(json.loads, lines)):
            last = time.monotonic()


def calls(count, port="20000"):
    first, last = int(port), int(port) + int(count)
    ours = [r for r in records() if r["source_name_aggr"] == "victim" and r["reporter"] == "src"]
    ports = {r["dest_port"] for r in ours if r["dest_port"] is not None}
    begun = sum(r["num_flows_started"] for r in ours)
    sent = sum(r["packets_out"] for r in ours)
    expect(
        f"the victim's {count} flows: {begun} begun, {sent} packets, {len(ports)} ports",
        begun == sent == int(count) and ports == set(range(first, last)),
    )


def named(port, count, name):
    ours = [r for r in records() if r["dest_port"] == int(port) and r["reporter"] == "src"]
    names = {r["source_name"] for r in ours}
    sent = sum(r["packets_out"] for r in ours)
    expect(f"to port {port}: {sent} packets of {sorted(names)}", sent == int(count) and names == {name})


def others(most):
    sent = {}
    for record in records():
        ends = {record["source_name_aggr"], record["dest_name_aggr"]}
        # Records of an uplink's packets without flows have no name of either end.
        if "attacker" not in ends and not ends <= {"-", "pvt", "pub"}:
            name = record["source_name_aggr"], record["dest_name_aggr"], record["reporter"]
            sent[name] = sent.get(name, 0) + record["packets_in"] + record["packets_out"]
    expect(f"packets in records that name others only: {sent}", sum(sent.values()) <= int(most))


def direction(port, name):
    ours = [r for r in records() if int(port) in (r["source_port"], r["dest_port"])]
    ways = {(r["source_name_aggr"], r["dest_port"]) for r in ours}
    expect(f"the connection to port {port}: {sorted(ways)}", ways == {(name, int(port))})
    begun = {end: sum(r["num_flows_started"] for r in ours if r["reporter"] == end) for end in ("src", "dst")}
    expect(f"it began once at each end: {begun}", begun == {"src": 1, "dst": 1})


{
    "totals": totals, "wait_for_records": wait_for_records, "calls": calls,
    "named": named, "direction": direction, "others": others
}[what](*arguments)
sys.exit(wrong > 0)
