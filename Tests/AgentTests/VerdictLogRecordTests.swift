import Agent
import Foundation
import Lab
import Testing

/// Records of runs that read the log rules of the packet filter.
@Suite(.serialized, .needsRoot)
struct VerdictLogRecordTests {
    @Test func recordNamesLoggedRule() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        try cable.node.nft(
            """
            table inet test {
                counter dropped {}
                chain c { type filter hook input priority 0
                    udp dport 7 log prefix "DPI2|gnp/security.no-echo" group 5 counter name dropped drop
                }
            }
            """
        )
        let weir = try WeirRun(in: cable.node, folder, ["--nflog-group", "5"])
        _ = try cable.toNode().udpAttempt(count: 50, port: 7)
        try weir.finish()
        let lines = try weir.lines.map {
            try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        let echo = lines.filter { $0["dest_port"] as? Int == 7 }
        #expect(!echo.isEmpty)
        for record in echo {
            #expect(record["action"] as? String == "deny")
            #expect(record["reporter"] as? String == "dst")
            #expect(record["packets_out"] as? Int == 0)
            let policies = record["policies"] as? [String: [String]]
            #expect(policies?["enforced_policies"] == ["0|security|security.no-echo|deny|2"], "\(record)")
        }
        #expect(echo.reduce(0) { $0 + ($1["packets_in"] as? Int ?? 0) } == 50)
        #expect(try weir.report().balanced)
    }
}
