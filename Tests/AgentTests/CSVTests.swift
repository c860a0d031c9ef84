import FlowModel
import Foundation
import Testing

/// CSV for spreadsheets: in the output of each command, no name is a formula.
@Suite struct CSVTests {
    private static let name = "=HYPERLINK(1)"

    @Test(arguments: [
        ["observe", "--from", "FLOWS", "-o", "csv"],
        ["query", "--from", "FLOWS", "--group-by", "source_name_aggr,dest_name_aggr", "-o", "csv"],
        ["top", "pods", "--from", "FLOWS", "-o", "csv"],
        ["report", "inventory", "--inventory", "CLUSTER", "--format", "csv"],
        ["report", "network-access", "--inventory", "CLUSTER", "--from", "FLOWS", "--format", "csv"],
        ["report", "policy-audit", "--format", "csv", "AUDIT"],
    ])
    func noCellIsAFormula(_ words: [String]) throws {
        let folder = try TemporaryFolder()
        let record: [FlowField: String] = [
            .startTime: "1764338390", .endTime: "1764338400", .proto: "\"tcp\"", .numFlows: "1", .numFlowsStarted: "1",
            .destPort: "80", .sourceType: "\"net\"", .sourceNameAggr: "\"\(Self.name)\"", .destType: "\"net\"",
            .destNameAggr: "\"@SUM(1)\"",
        ]
        let members = FlowField.standard.map { "\"\($0.description.name)\":\(record[$0] ?? $0.description.emptyJSON)" }
        let pod =
            "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"\(Self.name)\",\"namespace\":\"shop\"},"
            + "\"spec\":{\"nodeName\":\"-1+1\"},\"status\":{\"phase\":\"Running\",\"podIP\":\"10.9.0.1\"}}"
        let texts = ["FLOWS": "{\(members.joined(separator: ","))}\n", "CLUSTER": pod, "AUDIT": AuditLine.text("1")]
        for (name, text) in texts {
            try text.write(toFile: folder.file(name), atomically: true, encoding: .utf8)
        }
        let process = try ChildProcess(
            [WeirProgram.path] + words.map { texts[$0] == nil ? $0 : folder.file($0) },
            keepingIn: folder
        )
        #expect(process.wait() == 0, "\(process.errors)")
        let guarded = ["'=HYPERLINK(1)", "'-1+1"]
        #expect(words[1] == "policy-audit" || guarded.contains { process.output.contains($0) }, "\(process.output)")
        #expect(!process.output.contains(/(^|,|\n)"?[=+@\t]|(^|,|\n)"?-[^,\n]/), "\(process.output)")
    }
}
