#!/usr/bin/env python3
"""Draws the pictures of docs/ from the descriptions below, as *.svg beside this file.

    docs/pictures/draw.py            writes them
    docs/pictures/draw.py --check    fails if one of them is not what this script draws

A box is (name, column, row, text, …); an arrow goes from one box to another and may have a text. A terminal is lines of
(colour, text) pieces, as a command printed them. Colours follow the reader's light or dark scheme.
"""
import html
import pathlib
import sys

WIDTH, HEIGHT, COLUMN, ROW, MARGIN = 192, 54, 276, 104, 24

STYLE = """
  .box { fill: #eef4fb; stroke: #4a78b0; stroke-width: 1.5 }
  .kernel { fill: #fdf1e4; stroke: #b3702a }
  .end { fill: #f1f1f1; stroke: #7a7a7a }
  .line { fill: none; stroke: #555; stroke-width: 1.5 }
  .tip { fill: #555 }
  text { font: 13px system-ui, sans-serif; fill: #1c1c1c; text-anchor: middle }
  .small { font-size: 11px; fill: #555 }
  .label { font-size: 11px; fill: #555; paint-order: stroke; stroke: #fff; stroke-width: 5 }
  @media (prefers-color-scheme: dark) {
    .box { fill: #1d2b3d; stroke: #7fb0ea } .kernel { fill: #3b2a17; stroke: #e0a35c } .end { fill: #333; stroke: #aaa }
    .line { stroke: #bbb } .tip { fill: #bbb } text { fill: #eee } .small { fill: #bbb }
    .label { fill: #bbb; stroke: #0d1117 }
  }
"""

PICTURES = {
    "data-flow": {
        "title": "From packet to record",
        "boxes": [
            ("hooks", 0, 0, "kernel", ["weir_ingress, weir_egress", "one packet at a time"]),
            ("drop", 0, 2, "kernel", ["weir_drop", "what the kernel drops, and why"]),
            ("table", 1, 0, "kernel", ["flow table, accounts", "shared memory"]),
            ("ring", 1, 1, "kernel", ["overflow ring", "flows without a slot"]),
            ("drops", 1, 2, "kernel", ["drops", "same index as the flow's slot"]),
            ("datapath", 2, 1, "box", ["Datapath", "one scan a second"]),
            ("inventory", 2, 2.25, "box", ["Inventory, Policy", "snapshots of the cluster"]),
            ("flowlog", 3, 1, "box", ["FlowLog", "joins, folds, judges"]),
            ("encoding", 4, 1, "box", ["Encoding", "record → JSON line"]),
            ("export", 5, 1, "box", ["Export", "a queue and thread each"]),
            ("store", 4, 2.25, "box", ["Store", "SQLite, for query and ui"]),
            ("out", 6, 1, "end", ["file, socket, server"]),
        ],
        "arrows": [
            ("hooks", "table", ""), ("hooks", "ring", ""), ("drop", "drops", ""),
            ("table", "datapath", ""), ("ring", "datapath", ""), ("drops", "datapath", ""),
            ("datapath", "flowlog", "FlowBatch"), ("inventory", "flowlog", ""),
            ("flowlog", "encoding", "FlowRecord"), ("flowlog", "store", ""),
            ("encoding", "export", "lines"), ("export", "out", ""),
        ],
    },
    "slot-life": {
        "title": "The life of a slot of the flow table",
        "boxes": [
            ("free", 0, 0, "end", ["FREE", "never used: ends a search"]),
            ("tomb", 0, 1.6, "end", ["TOMBSTONE", "searches pass it"]),
            ("claimed", 1, 0.8, "kernel", ["CLAIMED", "key is being written"]),
            ("live", 2, 0.8, "kernel", ["LIVE", "counts only grow"]),
            ("retired", 3, 0.8, "box", ["RETIRED", "programs pass over it"]),
            ("read", 4, 0.8, "box", ["read, zeroed", "after a grace period"]),
        ],
        "arrows": [
            ("free", "claimed", "program"), ("tomb", "claimed", ""), ("claimed", "live", "program"),
            ("live", "retired", "agent"), ("retired", "read", "agent"),
            ("read", "free", "the slot behind it is free"), ("read", "tomb", "else"),
        ],
    },
    "epochs": {
        "title": "What a kill can cost: epochs of a restart",
        "boxes": [
            ("counted", 0, 0, "kernel", ["counted", "in pinned maps"]),
            ("drained", 1, 0, "box", ["drained", "by a scan"]),
            ("closed", 2, 0, "box", ["epoch closed", "by a flush: version n"]),
            ("written", 3, 0, "box", ["records written", "by every output"]),
            ("committed", 4, 0, "end", ["epoch committed", "one store"]),
            ("again", 2, 1.3, "box", ["next agent", "one delta since the commit"]),
        ],
        "arrows": [
            ("counted", "drained", ""), ("drained", "closed", ""), ("closed", "written", ""),
            ("written", "committed", ""), ("drained", "again", "killed here"), ("closed", "again", "or here"),
            ("written", "again", "or here: files are cut back"),
        ],
    },
    "flow-states": {
        "title": "What the flow log does with a flow",
        "boxes": [
            ("unused", 0, 1, "end", ["unused", "no flow has this identifier"]),
            ("waiting", 1, 0, "box", ["waiting", "no end is local: in no record"]),
            ("held", 1, 2, "box", ["held", "until a name comes, or the flush"]),
            ("reported", 2, 1, "box", ["reported", "counts for records"]),
            ("denied", 3, 0, "kernel", ["denied", "shares of its traffic"]),
            ("folded", 3, 2, "end", ["folded", "counts for a remainder"]),
        ],
        "arrows": [
            ("unused", "reported", "begins"), ("unused", "waiting", ""), ("unused", "held", ""),
            ("waiting", "reported", "an end becomes local"), ("held", "reported", "is named"), ("held", "waiting", ""),
            ("reported", "denied", "packets are dropped"), ("denied", "reported", ""),
            ("waiting", "denied", ""), ("reported", "folded", "memory is short"),
        ],
    },
}

# What `weir observe --last 40` printed of `weir lab --scenario yaobank`, 100 columns wide; two lines are left out.
TERMINALS = {
    "observe": {
        "title": "weir observe: an allowed connection, and a denied one with the reason",
        "lines": [
            [("prompt", "$ "), ("", "sudo weir observe")],
            [("head", "TIME+00   ACTION  REP  SOURCE            DESTINATION              PORT    CONN  DECIDED BY")],
            [("", "03:35:54  "), ("allow", "allow "), ("", "  src  yaobank/cu…bl2sn  yaobank/sum…8jqlv      80/tcp     100  application.a…omer 0")],
            [("", "03:35:54  "), ("allow", "allow "), ("", "  dst  yaobank/cu…bl2sn  yaobank/sum…8jqlv      80/tcp     100  application.a…mary 0")],
            [("", "03:35:54  "), ("allow", "allow "), ("", "  src  yaobank/su…8jqlv  yaobank/dat…wd2lr    2379/tcp     100  application.a…mary 0")],
            [("", "03:35:54  "), ("deny", "DENY~ "), ("", "  src  yaobank/cu…bl2sn  yaobank/dat…wd2lr    2379/tcp       5  application default")],
            [("why", "          now: deny: tier application: NetworkPolicy yaobank/application.allow-customer: no rule")],
            [("why", "            matched, and the tier's default action denied")],
            [("why", "          ~ if staged policies were enforced: allow: tier application: StagedNetworkPolicy")],
            [("why", "            yaobank/application.customer-to-database (staged, not in force): rule 0 allowed")],
        ],
    },
}

TERMINAL_STYLE = """
  rect { fill: #f6f8fa; stroke: #d0d7de } text { font: 13px ui-monospace, monospace; fill: #1f2328; white-space: pre }
  .prompt, .head { fill: #59636e } .allow { fill: #0969da } .deny { fill: #bc4c00; font-weight: bold } .why { fill: #59636e }
  @media (prefers-color-scheme: dark) {
    rect { fill: #151b23; stroke: #3d444d } text { fill: #f0f6fc } .prompt, .head, .why { fill: #9198a1 }
    .allow { fill: #4493f8 } .deny { fill: #f0883e }
  }
"""


def centre(box):
    return MARGIN + box[1] * COLUMN + WIDTH / 2, MARGIN + box[2] * ROW + HEIGHT / 2


def edge(origin, towards):
    """Where the line between two centres leaves the box around the first one."""
    (x, y), (to_x, to_y) = origin, towards
    dx, dy = to_x - x, to_y - y
    scale = min(
        (WIDTH / 2 + 3) / abs(dx) if dx else float("inf"), (HEIGHT / 2 + 3) / abs(dy) if dy else float("inf")
    )
    return x + dx * scale, y + dy * scale


def draw_box(box):
    x, y = centre(box)
    lines = [f'<rect class="box {box[3]}" x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}" rx="7"/>']
    first = y - 3 if len(box[4]) > 1 else y + 5
    for number, text in enumerate(box[4]):
        kind = ' class="small"' if number else ""
        lines.append(f'<text{kind} x="{x:g}" y="{first + 18 * number:g}">{html.escape(text)}</text>')
    return lines


def draw_arrow(boxes, arrow):
    begin, end = centre(boxes[arrow[0]]), centre(boxes[arrow[1]])
    # Arrows that go far back bend around what lies between.
    bend = 0 if end[0] > begin[0] - 2 * COLUMN else -70 if end[1] < begin[1] else 70
    middle = ((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2 + bend)
    start, tip = edge(begin, middle), edge(end, middle)
    label = (middle[0] / 2 + (start[0] + tip[0]) / 4, middle[1] / 2 + (start[1] + tip[1]) / 4)
    lines = [f'<path class="line" marker-end="url(#tip)" d="M{start[0]:.1f},{start[1]:.1f} Q{middle[0]:.1f},{middle[1]:.1f} {tip[0]:.1f},{tip[1]:.1f}"/>']
    if arrow[2]:
        lines.append(f'<text class="label" x="{label[0]:.1f}" y="{label[1] + 4:.1f}">{html.escape(arrow[2])}</text>')
    return lines


def draw(picture):
    boxes = {box[0]: box for box in picture["boxes"]}
    top = 24 if any(boxes[a[1]][1] < boxes[a[0]][1] - 1 for a in picture["arrows"]) else 0
    width = max(centre(box)[0] for box in boxes.values()) + WIDTH / 2 + MARGIN
    height = max(centre(box)[1] for box in boxes.values()) + HEIGHT / 2 + MARGIN + top
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-top} {width:g} {height + top:g}" role="img">',
        f"<title>{html.escape(picture['title'])}</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="tip" d="M0,0 L8,4 L0,8 z"/></marker></defs>',
    ]
    for box in picture["boxes"]:
        lines += draw_box(box)
    for arrow in picture["arrows"]:
        lines += draw_arrow(boxes, arrow)
    return "\n".join(lines + ["</svg>", ""])


def draw_terminal(terminal):
    columns = max(sum(len(text) for _, text in line) for line in terminal["lines"])
    width, height = MARGIN + 7.83 * columns, MARGIN + 19 * len(terminal["lines"])
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
        f"<title>{html.escape(terminal['title'])}</title>",
        f"<style>{TERMINAL_STYLE}</style>",
        f'<rect x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="7"/>',
    ]
    for number, line in enumerate(terminal["lines"]):
        pieces = "".join(f'<tspan class="{kind}">{html.escape(text)}</tspan>' for kind, text in line)
        lines.append(f'<text xml:space="preserve" x="{MARGIN / 2:g}" y="{MARGIN + 2 + 19 * number}">{pieces}</text>')
    return "\n".join(lines + ["</svg>", ""])


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__.strip())
        return 0 if sys.argv[1:] in (["--help"], ["-h"]) else 2
    folder = pathlib.Path(__file__).resolve().parent
    stale = []
    texts = {name: draw(picture) for name, picture in PICTURES.items()}
    texts |= {name: draw_terminal(terminal) for name, terminal in TERMINALS.items()}
    for name, text in texts.items():
        path = folder / f"{name}.svg"
        if sys.argv[1:]:
            stale += [] if path.exists() and path.read_text() == text else [str(path)]
        else:
            path.write_text(text)
    for path in stale:
        print(f"error: {path} is not what draw.py draws; run docs/pictures/draw.py", file=sys.stderr)
    return 1 if stale else 0


sys.exit(main())
