import Foundation
import Lab
import Testing

/// The output of `weir observe`, `top` and `status` beside a running agent.
@Suite(.serialized, .needsRoot)
struct LiveObserveTests {
    private let folder: TemporaryFolder
    private let cable: Cable

    init() throws {
        folder = try TemporaryFolder()
        cable = try Cable()
        try cable.node.ip("link set lo up")
    }

    private var socket: String { folder.file("weir.sock") }

    private func start(_ options: [String] = []) throws -> WeirRun {
        try WeirRun(in: cable.node, folder, ["--interface", "eth0", "--http", "off", "--socket", socket] + options)
    }

    private func weir(_ arguments: [String]) throws -> ChildProcess {
        try cable.node.start([WeirProgram.path] + arguments, keepingIn: folder)
    }

    /// Sends datagrams to a port until something is true.
    private func send(to port: UInt16, until condition: () -> Bool) throws {
        let isTrue = try eventually {
            _ = try cable.toNode().udp(count: 1, size: 72, port: port)
            usleep(50_000)
            return condition()
        }
        #expect(isTrue)
    }

    @Test func observePrintsNewRecordsOfAgent() throws {
        let agent = try start()
        let all = try weir(["observe", "--socket", socket, "-o", "json"])
        let some = try weir(["observe", "--socket", socket, "-o", "compact", "--port", "4711", "--protocol", "udp"])
        try send(to: 4711) {
            all.output.contains("\"dest_port\":4711") && some.output.contains(" 4711/udp ") || all.hasEnded
        }
        try send(to: 4712) { all.output.contains("\"dest_port\":4712") || all.hasEnded }
        #expect(!some.output.contains(" 4712/udp "), "\(some.output)")
        #expect(all.output.wholeLines.allSatisfy { $0.hasPrefix("{\"start_time\"") && $0.hasSuffix("}") })
        for process in [all, some] {
            process.signal(SIGINT)
            #expect(process.wait() == 0, "\(process.errors)")
        }
        try agent.finish()
    }

    @Test func observeReportsAndAwaitsStoppedAgent() throws {
        let agent = try start()
        let process = try weir(["observe", "--socket", socket, "-o", "json"])
        try send(to: 4711) { process.output.contains("\"dest_port\":4711") || process.hasEnded }
        try agent.finish()
        let isSaid = eventually { process.errors.contains("the agent has not answered since ") || process.hasEnded }
        #expect(isSaid, "\(process.errors)")
        let next = try start()
        try send(to: 4712) { process.output.contains("\"dest_port\":4712") || process.hasEnded }
        let isThereAgain = eventually { process.errors.contains("the agent is there again") }
        #expect(isThereAgain, "\(process.errors)")
        process.signal(SIGTERM)
        #expect(process.wait() == 0, "\(process.errors)")
        try next.finish()
    }

    /// Earlier records come first, and nothing is shown twice.
    @Test func followPrintsStoredThenNewRecords() throws {
        let store = folder.file("flows.db")
        let agent = try start(["--store", store])
        let count = { (port: Int, process: ChildProcess) in
            process.output.split(separator: "\n").count { $0.contains("\"dest_port\":\(port)") }
        }
        _ = try cable.toNode().udp(count: 3, size: 72, port: 4711)
        let isStored = try eventually {
            let process = try weir(["observe", "--store", store, "-o", "json"])
            #expect(process.wait() == 0, "\(process.errors)")
            return count(4711, process) > 0
        }
        try #require(isStored)
        let process = try weir(["observe", "--store", store, "--follow", "--socket", socket, "-o", "json"])
        try send(to: 4712) { count(4712, process) > 0 || process.hasEnded }
        let lines = process.output.split(separator: "\n")
        #expect(Set(lines).count == lines.count, "\(lines)")
        #expect(count(4711, process) > 0)
        process.signal(SIGTERM)
        #expect(process.wait() == 0, "\(process.errors)")
        let last = try weir(["observe", "--store", store, "--last", "1", "-o", "json"])
        #expect(last.wait() == 0, "\(last.errors)")
        #expect(last.output.split(separator: "\n").count == 1)
        let top = try weir(["top", "ports", "--store", store, "--once", "-o", "json"])
        #expect(top.wait() == 0 && top.output.contains("4712/udp"), "\(top.errors) \(top.output)")
        try agent.finish()
    }

    @Test func topReadsAgentWithoutStore() throws {
        let agent = try start()
        let process = try weir(["top", "ports", "--once", "-o", "json", "--socket", socket, "--port", "4711"])
        try send(to: 4711) { process.hasEnded }
        #expect(process.wait() == 0, "\(process.errors)")
        #expect(process.output.contains("4711/udp"), "\(process.output)")
        try agent.finish()
    }

    @Test func observeWatchesThisMachineWithoutAgent() throws {
        let process = try weir(["observe", "--socket", folder.file("none"), "-o", "json", "--interval", "1s"])
        try send(to: 4711) { process.output.contains("\"dest_port\":4711") || process.hasEnded }
        process.signal(SIGINT)
        #expect(process.wait() == 0, "\(process.errors)")
    }

    @Test func statusFitsOneScreen() throws {
        let agent = try start()
        _ = try cable.toNode().udp(count: 100, size: 72, port: 4711)
        var text = ""
        let isThere = try eventually {
            let process = try weir(["status", "--socket", socket])
            let code = process.wait()
            text = process.output
            return code == 0 && text.contains("delivered") && !text.contains(": 0 delivered")
                && text.contains(" denied/s")
        }
        try #require(isThere, "\(text)")
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.count <= 24 && lines[0].hasPrefix("weir ") && lines[0].hasSuffix(": ready"), "\(text)")
        #expect(text.contains("watched    0 interfaces of workloads, 1 others (eth0)"), "\(text)")
        #expect(text.contains("account    balanced; "))
        #expect(text.contains("losses     none"))
        #expect(text.contains("inventory  none: records have addresses only"))
        let json = try weir(["status", "--socket", socket, "-o", "json"])
        #expect(json.wait() == 0)
        let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
        #expect((object?["account"] as? [String: Any])?["is_balanced"] as? Bool == true, "\(json.output)")
        try cable.node.ip("link delete eth0")
        let isMissing = try eventually {
            let process = try weir(["status", "--socket", socket])
            let code = process.wait()
            return code == 1 && process.output.contains("NOT READY")
                && process.output.contains("no interface is watched")
        }
        #expect(isMissing)
        try agent.finish()
        let nobody = try weir(["status", "--socket", socket])
        #expect(nobody.wait() == 1)
        #expect(nobody.errors.hasPrefix("error: no agent answers at \(socket)"), "\(nobody.errors)")
    }
}
