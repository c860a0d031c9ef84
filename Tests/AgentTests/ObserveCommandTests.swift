import FlowModel
import Foundation
import Testing

/// `weir observe` and `weir query` on a file, as an operator runs them.
@Suite struct ObserveCommandTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func line(_ fields: [FlowField: String]) -> String {
        let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
        return "{\(members.joined(separator: ","))}"
    }

    /// The path of a file with ten allowed and ten denied records.
    private var file: String {
        get throws {
            let end = 1_764_338_400
            let lines = (0..<20).map { index in
                line([
                    .endTime: "\(end + index)", .startTime: "\(end)", .sourceType: "\"wep\"", .destType: "\"wep\"",
                    .sourceNamespace: "\"yaobank\"", .sourceNameAggr: "\"customer-*\"", .destNamespace: "\"yaobank\"",
                    .destNameAggr: index % 2 == 0 ? "\"summary-*\"" : "\"database-*\"",
                    .destPort: index % 2 == 0 ? "80" : "2379", .proto: "\"tcp\"",
                    .action: index % 2 == 0 ? "\"allow\"" : "\"deny\"", .numFlows: "\(index)", .numFlowsStarted: "1",
                    .bytesOut: "100",
                ])
            }
            let path = folder.file("flows.log")
            try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: path))
            return path
        }
    }

    private func run(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess([WeirProgram.path] + arguments, keepingIn: folder)
    }

    @Test func observePrintsFileAsTable() throws {
        let process = try run(["observe", "--utc", "--from", try file])
        #expect(process.wait() == 0, "\(process.errors)")
        let lines = process.output.split(separator: "\n")
        #expect(lines.count == 21)
        #expect(lines[0].hasPrefix("TIME+00"))
        #expect(lines[2].contains("2025-11-28 14:00:01  DENY    src  yaobank/customer-*"))
        #expect(!process.output.contains("\u{1b}"))
    }

    @Test(
        arguments: [
            (["--denied"], 10), (["--denied", "--last", "3"], 3), (["--port", "80"], 10), (["-n", "shop"], 0),
            (["--pod", "yaobank/customer"], 20), (["--pod", "database"], 10), (["--since", "1764338410"], 9),
            (["--until", "2025-11-28T14:00:05Z"], 6), (["--filter", "num_flows > 15"], 4), (["--service", "x"], 0),
            (["--denied", "--filter", "num_flows > 15 || num_flows == 1"], 3),
        ] as [([String], Int)]
    )
    func optionsSelectRecords(_ options: [String], _ count: Int) throws {
        let process = try run(["observe", "--from", try file, "-o", "json"] + options)
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.output.split(separator: "\n").count == count)
    }

    @Test func reportsInvalidLineAndPrintsOthers() throws {
        let path = try file
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("broken\n\(line([.numFlows: "7"]))\n".utf8))
        try handle.close()
        let process = try run(["observe", "--from", path, "-o", "compact"])
        #expect(process.wait() == 1)
        #expect(process.output.split(separator: "\n").count == 21)
        #expect(process.errors.contains("line 21 is no record: column 1"))
    }

    @Test(arguments: [
        ["--from", "/nowhere", "--denied", "--allowed"], ["--from", "x", "--filter", "nonsense"], ["--follow"],
        ["--watch", "--last", "3"],
        ["--from", "x", "--last", "0"], ["--from", "x", "--since", "yesterday"],
    ])
    func rejectsWrongUsage(_ options: [String]) throws {
        let process = try run(["observe"] + options)
        #expect(process.wait() == 2)
        #expect(process.errors.contains("error: "))
    }

    /// Errors name the option, and names as they are written.
    @Test(
        arguments: [
            (["--sum", "transit"], "--sum: 'transit' is no measure; ", "packets_out, transit_bytes, transit_packets,"),
            (["--group-by", "end_by"], "--group-by: 'end_by' is no field that groups", "pending_rule"),
        ] as [([String], String, String)]
    )
    func queryNamesWhatIsPossible(_ options: [String], _ start: String, _ names: String) throws {
        let process = try run(["query", "--from", "x"] + options)
        #expect(process.wait() == 2)
        #expect(process.errors.hasPrefix("error: \(start)") && process.errors.contains(names), "\(process.errors)")
    }

    @Test func querySumsRecordsOfFile() throws {
        let process = try run(["query", "--from", try file, "--group-by", "dest,port", "--sum", "connections,bytes"])
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(
            process.output == """
                DEST                PORT      CONNECTIONS  BYTES
                yaobank/database-*  2379/tcp           10   1000
                yaobank/summary-*   80/tcp             10   1000

                """
        )
        let json = try run(["query", "--from", try file, "--sum", "denied_connections,records", "-o", "json"])
        #expect(json.wait() == 0, "\(json.errors)")
        #expect(json.output == "{\"denied_connections\":10,\"records\":20}\n")
    }

    /// The sums of `weir query` equal those of jq.
    @Test func querySumsEqualJQ() throws {
        let path = try file
        let jq = try ChildProcess(
            ["jq", "-s", "map(select(.action == \"deny\") | .num_flows) | add", path],
            keepingIn: folder
        )
        #expect(jq.wait() == 0)
        let process = try run(["query", "--from", path, "--denied", "--sum", "flows", "-o", "csv"])
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(
            process.output.split(separator: "\n").last.map(String.init)
                == jq.output.trimmingCharacters(in: .whitespacesAndNewlines)
        )
    }
}
