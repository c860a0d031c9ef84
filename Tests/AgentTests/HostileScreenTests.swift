import FlowModel
import Foundation
import Testing

/// Names of cluster objects on a terminal: they do not move the cursor, change colours or reverse the direction of text.
@Suite struct HostileScreenTests {
    private let folder: TemporaryFolder
    private let flows: String
    private let inventory: String

    init() throws {
        folder = try TemporaryFolder()
        flows = folder.file("flows.log")
        inventory = folder.file("bank.yaml")
        try Data(PolicyInventory.bank.utf8).write(to: URL(fileURLWithPath: inventory))
        try Data(HostileNames.records.utf8).write(to: URL(fileURLWithPath: flows))
    }

    static let screens: [[String]] = [
        ["observe", "--from", "FLOWS"], ["observe", "--from", "FLOWS", "-o", "wide"],
        ["observe", "--from", "FLOWS", "-o", "compact"], ["observe", "--from", "FLOWS", "--explain"],
        ["query", "--from", "FLOWS", "--group-by", "source,dest,port,rule,pending_rule"],
        ["query", "--from", "FLOWS", "--group-by", "dest_service_name", "--interval", "1m"],
        ["top", "pairs", "--from", "FLOWS", "--once"], ["top", "services", "--from", "FLOWS", "--once"],
        ["top", "policies", "--from", "FLOWS", "--once"], ["top", "denied", "--from", "FLOWS", "--once"],
        ["policy", "preview", "--inventory", "BANK", "--flows", "FLOWS", "--enforce-staged"],
        ["policy", "preview", "--inventory", "BANK", "--flows", "FLOWS", "--enforce-staged", "-o", "markdown"],
    ]

    private func words(_ screen: [String]) -> [String] {
        [WeirProgram.path] + screen.map { $0 == "FLOWS" ? flows : $0 == "BANK" ? inventory : $0 }
    }

    @Test(arguments: screens) func escapesHostileNames(_ screen: [String]) throws {
        let process = try ChildProcess(words(screen), keepingIn: folder)
        let status = process.wait()
        #expect(status == 0 || (screen[0] == "policy" && status == 1), "\(process.errors)")
        #expect(process.output.contains("\\u{1b}") && process.output.contains("nnnnnnnn"), "\(process.output)")
        #expect(HostileNames.harm(in: process.output).isEmpty)
        #expect(HostileNames.harm(in: process.errors).isEmpty)
    }

    // MARK: Inventories

    /// Objects whose every name is hostile.
    private func hostileInventory() throws -> String {
        let path = folder.file("hostile.json")
        let items = HostileNames.json.enumerated().flatMap { index, name in
            let names = "\"metadata\":{\"name\":\"\(name)\",\"namespace\":\"\(name)\",\"labels\":{\"app\":\"\(name)\"}}"
            let service = names.replacing("\"app\"", with: "\"kubernetes.io/service-name\"")
            let calico = "\"apiVersion\":\"projectcalico.org/v3\",\(names)"
            return [
                "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\(names)}",
                "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\(names),\"spec\":{\"nodeName\":\"\(name)\"},"
                    + "\"status\":{\"phase\":\"Running\",\"podIP\":\"10.9.0.\(index)\"}}",
                "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\(names),\"spec\":{\"clusterIP\":\"10.96.0.\(index + 1)\","
                    + "\"ports\":[{\"name\":\"\(name)\",\"port\":80,\"protocol\":\"TCP\"}]}}",
                "{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\",\"addressType\":\"IPv4\",\(service),"
                    + "\"endpoints\":[{\"addresses\":[\"10.9.0.\(index)\"]}],"
                    + "\"ports\":[{\"name\":\"\(name)\",\"port\":80,\"protocol\":\"TCP\"}]}",
                "{\"kind\":\"NetworkPolicy\",\(calico),\"spec\":{\"selector\":\"all()\",\"ingress\":[{\"action\":\"Deny\","
                    + "\"source\":{\"nets\":[\"192.0.2.0/24\"]}},{\"action\":\"Allow\"}],\"egress\":[{\"action\":\"Allow\"}]}}",
                "{\"kind\":\"StagedNetworkPolicy\",\(calico),\"spec\":{\"selector\":\"\(name)\",\"\(name)\":\"\(name)\"}}",
                "{\"kind\":\"GlobalNetworkSet\",\(calico),\"spec\":{\"nets\":[\"203.0.113.\(index)/32\"]}}",
            ]
        }
        try "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\(items.joined(separator: ","))]}"
            .write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// The output of commands on such an inventory, on both streams; and for hostile arguments.
    @Test(arguments: [
        ["inventory", "check", "HOSTILE"], ["inventory", "check", "--json", "HOSTILE"],
        ["inventory", "lookup", "--inventory", "HOSTILE", "10.9.0.0", "10.9.0.1", "10.96.0.2:80/tcp", "203.0.113.1"],
        ["inventory", "lookup", "--json", "--inventory", "HOSTILE", "10.9.0.0", "10.96.0.2:80/tcp"],
        ["policy", "check", "HOSTILE"], ["policy", "check", "--json", "HOSTILE"],
        ["policy", "trace", "--inventory", "HOSTILE", "--from", "10.9.0.0", "--to", "10.9.0.1", "--port", "80"],
        ["policy", "trace", "--inventory", "HOSTILE", "--from", "10.9.0.0", "--to", "10.96.0.2", "--port", "80"],
        [
            "policy", "trace", "--json", "--inventory", "HOSTILE", "--from", "10.9.0.0", "--to", "10.9.0.1", "--port",
            "80",
        ],
        ["policy", "trace", "--inventory", "HOSTILE", "--flows", "FLOWS"],
        ["policy", "preview", "--inventory", "HOSTILE", "--flows", "FLOWS", "--change", "HOSTILE"],
        ["policy", "preview", "--inventory", "HOSTILE", "--flows", "FLOWS", "--enforce-staged", "-o", "json"],
        ["policy", "unused", "--inventory", "HOSTILE", "--flows", "FLOWS"],
        ["policy", "suggest", "--inventory", "HOSTILE", "--flows", "FLOWS", "--namespace", "\u{1b}[2J\u{202e}"],
        ["policy", "explain", "0|\u{1b}[2J\u{202e}|x|deny|0"], ["policy", "explain", "0|t|\u{1b}[2J\u{202e}|deny|0"],
        ["report", "network-access", "--inventory", "HOSTILE", "--from", "FLOWS"],
        ["report", "network-access", "--inventory", "HOSTILE", "--from", "FLOWS", "--format", "json"],
        ["report", "inventory", "--inventory", "HOSTILE"],
        ["report", "inventory", "--inventory", "HOSTILE", "--format", "yaml"],
        ["query", "--from", "FLOWS", "--group-by", "\u{1b}[2J\u{202e}"], ["observe", "--from", "\u{1b}[2J\u{202e}"],
        ["query", "--from", "FLOWS", "--filter", "\u{1b}[2J\u{202e}"], ["top", "\u{1b}[2J\u{202e}"],
    ])
    func escapesHostileObjectsAndArguments(_ words: [String]) throws {
        let hostile = try hostileInventory()
        let process = try ChildProcess(
            [WeirProgram.path] + words.map { $0 == "FLOWS" ? flows : $0 == "HOSTILE" ? hostile : $0 },
            keepingIn: folder
        )
        let status = try #require(process.wait())
        #expect(0...2 ~= status, "\(process.errors)")
        let text = process.output + process.errors
        // The filter's errors replace them by blanks, so that the mark stays below the marked text.
        #expect(text.contains("1b") || words.contains("--filter"), "\(text.prefix(1000))")
        #expect(
            HostileNames.harm(in: text).isEmpty,
            "\(HostileNames.harm(in: text).prefix(5)) in \(text.debugDescription.prefix(2000))"
        )
        // JSON output stays valid.
        for line in process.output.split(separator: "\n") where words.contains("--json") {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        }
    }

    /// On a terminal of 80 columns no line is wider, and there is no escape sequence but Weir's own colours.
    @Test(arguments: screens) func linesFitTerminalWidth(_ screen: [String]) throws {
        let process = try ChildProcess(
            ["/usr/bin/python3", "-c", HostileNames.terminal, "80"] + words(screen),
            keepingIn: folder
        )
        #expect(process.wait() == 0, "\(process.errors)")
        let plain = process.output.replacing(/\u{1b}\[[0-9;]*m/, with: "")
        #expect(plain.contains("\\u{1b}"), "\(plain)")
        #expect(HostileNames.harm(in: plain).isEmpty, "\(plain.debugDescription)")
        guard screen[0] == "observe", !screen.contains("wide"), !screen.contains("compact") else { return }
        for line in plain.split(separator: "\n") {
            let width = line.unicodeScalars.reduce(0) { $0 + ($1.value == 0x754c ? 2 : 1) }
            #expect(width <= 80, "\(line)")
        }
    }

    /// A narrow terminal shows fewer numbers, and none of them is cut.
    @Test(arguments: [
        (40, ["SOURCE", "DEST", "PORT", "CONN▼"]), (80, ["CONN▼", "BYTES", "PACKETS", "DENIED"]),
    ])
    func narrowTopShowsFewerColumns(_ width: Int, _ titles: [String]) throws {
        let process = try ChildProcess(
            ["/usr/bin/python3", "-c", HostileNames.terminal, "\(width)"]
                + words(["top", "pairs", "--from", "FLOWS", "--once"]),
            keepingIn: folder
        )
        #expect(process.wait() == 0, "\(process.errors)")
        let lines = process.output.split(separator: "\n").map(String.init)
        let head = try #require(lines.first { $0.contains("PORT") }, "\(lines)")
        #expect(titles.allSatisfy { head.contains($0) } && head.unicodeScalars.count <= width, "\(head)")
        #expect(head.contains("BYTES") == (width == 80))
        #expect(lines.contains { $0.hasSuffix("3") && $0.contains("80/tcp") }, "\(lines)")
    }
}
