import Agent
import Foundation
import Lab

/// The output of the lab: the network, the records as they are written, and the account.
struct LabScreen: Sendable {
    /// Whether standard output is reserved for records.
    let isJSON: Bool

    /// Describes the participants and the planned traffic.
    func explain(_ demonstration: LabDemonstration) {
        say("The lab: network namespaces of this process, removed when it ends.\n")
        list(demonstration.participants)
        say("\nEvery second:\n")
        for one in demonstration.conversations {
            say("  \(columns([("\(one.client) → \(one.server)", 18), (one.traffic, 20)]))\(one.perSecond) times")
        }
        say("\nWhat Weir writes (one line a record; --json shows them whole):\n")
        say("  " + Self.heading)
    }

    /// Lists a node and its pods.
    func list(_ participants: [LabDemonstration.Participant]) {
        let names = participants.map(\.name.count).max() ?? 0
        for one in participants {
            let cells = [(one.name, names), (one.ipv4, 10), (one.ipv6, 7), (one.interface ?? "", 15)]
            say("  \(columns(cells))\(one.role)")
        }
    }

    private static let heading =
        "reporter  proto  source → destination                             flows  started     bytes in    bytes out"

    /// The fields of a record that fit on a line.
    private struct Row: Decodable {
        var reporter: String
        var proto: String
        var source_ip: String?
        var source_port: Int?
        var source_name_aggr: String
        var dest_ip: String?
        var dest_port: Int?
        var dest_name_aggr: String
        var num_flows: Int
        var num_flows_started: Int
        var bytes_in: Int
        var bytes_out: Int

        var ends: String {
            let source = Self.end(source_ip ?? source_name_aggr, source_port)
            return source + " → " + Self.end(dest_ip ?? dest_name_aggr, proto == "icmp6" ? nil : dest_port)
        }

        private static func end(_ name: String, _ port: Int?) -> String {
            guard let port else { return name }
            return name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)"
        }
    }

    /// Shows a record.
    func show(_ line: Data) {
        guard !isJSON, let row = try? JSONDecoder().decode(Row.self, from: line) else {
            try? FileHandle.standardOutput.write(contentsOf: line + Data("\n".utf8))
            return
        }
        let numbers = [(row.num_flows, 6), (row.num_flows_started, 9), (row.bytes_in, 13), (row.bytes_out, 13)]
        let right = numbers.map { pad("\($0.0)", $0.1, onLeft: true) }.joined()
        say("  \(columns([(row.reporter, 8), (row.proto, 5), (row.ends, 46)]))\(right)")
    }

    /// Shows the account next to the kernel's interface counters.
    func summarize(_ report: AccountReport, kernel: [String: InterfaceCounters]) {
        say("\nThe account: every packet that was seen, and where it went.\n")
        let width = max(13, report.interfaces.map(\.name.count).max() ?? 0)
        say(
            "  \(columns([("interface", width)]))direction   seen packets     seen bytes   in flows   not IP   remainder   kernel counted"
        )
        for interface in report.interfaces {
            let counters = kernel[interface.name]
            let name = pad(interface.name, width, onLeft: false)
            show(name, "ingress", interface.ingress, counters.map { ($0.receivedPackets, $0.receivedBytes) })
            show(name, "egress", interface.egress, counters.map { ($0.sentPackets, $0.sentBytes) })
        }
        let denied = report.totals.ingress.denied.seen
        if denied.packets > 0 {
            say(
                "\n  of these, \(denied.packets) packets, \(denied.bytes) bytes were seen and then dropped by a decision"
            )
        }
        say(
            report.balanced
                ? "\n  balanced: seen = flows + overflow + remainder + not IP + unparsed, to the packet and to the byte"
                : "\n  NOT balanced"
        )
    }

    private func show(
        _ name: String,
        _ direction: String,
        _ account: AccountReport.Direction,
        _ kernel: (packets: UInt64, bytes: UInt64)?
    ) {
        let verdict: String
        switch kernel {
        case nil: verdict = "-"
        case let counted? where counted == (account.skb.packets, account.skb.bytes): verdict = "the same"
        case let counted?: verdict = "\(counted.packets) packets, \(counted.bytes) bytes"
        }
        let flows = account.flows.packets + account.overflow.packets
        let numbers = [(account.seen.packets, 13), (account.seen.bytes, 15), (flows, 11), (account.notIP.packets, 9)]
        let right = numbers.map { pad("\($0.0)", $0.1, onLeft: true) }.joined()
        let remainder = pad("\(account.remainder.packets)", 12, onLeft: true)
        say("  \(columns([(name, 0), (direction, 9)]))\(right)\(remainder)   \(verdict)")
    }

    // MARK: Text

    /// Prints an explanation.
    func say(_ text: String) {
        let file = isJSON ? FileHandle.standardError : FileHandle.standardOutput
        try? file.write(contentsOf: Data((text + "\n").utf8))
    }

    /// A row of cells with their widths, each followed by a space.
    func columns(_ cells: [(text: String, width: Int)]) -> String {
        cells.map { pad($0.text, $0.width, onLeft: false) + " " }.joined()
    }

    /// A cell, padded to a width.
    func pad(_ text: String, _ width: Int, onLeft: Bool) -> String {
        let gap = String(repeating: " ", count: max(0, width - text.count))
        return onLeft ? gap + text : text + gap
    }
}
