import Foundation
import Lab
import Testing

/// Settings that change while a run goes on.
@Suite(.serialized, .needsRoot)
struct ReloadTests {
    private let folder: TemporaryFolder
    private let cable: Cable

    init() throws {
        folder = try TemporaryFolder()
        cable = try Cable()
    }

    private func settings(_ outputs: [String], _ others: String = "") -> String {
        let names = outputs.map { "- 'file:\(folder.file($0))'\n" }
        return "flush-interval: 1s\naggregation-allowed: 0\nfile-max-size: off\noutput:\n" + names.joined() + others
    }

    private func records(_ names: String...) throws -> [RecordLine] {
        try names.flatMap { try folder.lines($0).map { try RecordLine($0) } }
    }

    // MARK: Outputs

    /// One file stays all the time, and one of two others is always there: both have every packet once.
    @Test func outputReloadWritesEachRecordOnce() throws {
        let wire = try WireCounters(in: cable.node)
        let run = try ReloadedRun(in: cable.node, folder, settings(["stays", "one"]))
        let going = try SweepTraffic(cable, flows: 300)
        for outputs in [
            ["stays", "two"], ["stays", "one"], ["one", "stays"], ["stays;max-size=50M", "two"],
            ["stays;max-size=60M", "two;max-files=3"], ["stays", "one"],
        ] {
            usleep(UInt32.random(in: 0...700_000))
            try run.reload(settings(outputs))
        }
        usleep(300_000)
        try going.end()
        let report = try run.finish()
        #expect(report.balanced)
        let sent = try wire.flows().filter { $0.key.proto == "udp" }
        #expect(sent.count == 300)
        #expect(RecordSums(try records("stays")).received.filter { $0.key.proto == "udp" } == sent)
        #expect(RecordSums(try records("one", "two")).received.filter { $0.key.proto == "udp" } == sent)
        let closed = run.process.errors.split(separator: "\n").filter { $0.contains("output closed") }
        #expect(closed.count >= 10 && closed.allSatisfy { $0.contains("dropped=0") }, "\(closed)")
    }

    /// A run is killed after it wrote to a file that a reload added, and before it saved the position.
    @Test func killAfterReloadRepeatsNothing() throws {
        let bpffs = try BPFFileSystem()
        let options = ["--bpffs", bpffs.path]
        let run = try ReloadedRun(in: cable.node, folder, settings(["one"]), options)
        try "a line of somebody else\n".write(toFile: folder.file("two"), atomically: true, encoding: .utf8)
        try run.reload(settings(["one", "two"]))
        let sent = try cable.toNode().udp(count: 1_000, size: 72, port: 7)
        try #require(sent.serverReceived.messages == 1_000)
        try #require(eventually { folder.text("two").contains(#""dest_port":7,"#) })
        run.process.signal(SIGKILL)
        _ = run.process.wait()
        let second = try ReloadedRun(in: cable.node, folder, settings(["one", "two"]), options)
        #expect(try second.finish().balanced)
        for name in ["one", "two"] {
            let lines = folder.lines(name).filter { $0.hasPrefix("{") }
            let sums = RecordSums(try lines.map { try RecordLine($0) })
            let received = sums.received.filter { $0.key.destinationPort == 7 }.reduce(into: Count()) { $0 += $1.value }
            #expect(received == Count(1_000, 100_000), "\(name)")
        }
        #expect(folder.text("two").hasPrefix("a line of somebody else\n"))
    }

    @Test func appliesChangedFilter() throws {
        let run = try ReloadedRun(in: cable.node, folder, settings(["one"]))
        _ = try cable.toNode().udp(count: 10, size: 72, port: 7)
        try #require(eventually { folder.text("one").contains(#""dest_port":7,"#) })
        try run.reload(settings(["one"], "filter: 'dest_port == 9'\n"))
        let before = folder.text("one")
        _ = try cable.toNode().udp(count: 10, size: 72, port: 8)
        _ = try cable.toNode().udp(count: 10, size: 72, port: 9)
        try #require(eventually { folder.text("one").contains(#""dest_port":9,"#) })
        #expect(try run.finish().balanced)
        let after = folder.text("one").dropFirst(before.count)
        #expect(!after.contains(#""dest_port":8,"#))
    }

    // MARK: Records

    /// A connection that runs while the level changes has all its packets in records, and begins and ends once.
    @Test func appliesChangedLevelToRunningConnections() throws {
        let run = try ReloadedRun(
            in: cable.node,
            folder,
            settings(["one"]).replacing("aggregation-allowed: 0", with: "aggregation-allowed: 2")
        )
        let wire = try WireCounters(in: cable.node)
        let traffic = try SteadyTraffic(
            isStream: false,
            from: cable.peer,
            to: cable.node,
            at: LabAddress("10.1.0.1"),
            port: 7,
            pause: 5
        )
        try #require(eventually { folder.text("one").contains(#""dest_port":7,"#) })
        try run.reload(settings(["one"]))
        try #require(try eventually { try records("one").contains { $0.sourcePort != nil && $0.destinationPort == 7 } })
        try run.reload(settings(["one"]).replacing("aggregation-allowed: 0", with: "aggregation-allowed: 1"))
        let detailed = try records("one").count { $0.sourcePort != nil }
        let isCoarser = try eventually {
            try records("one").last { $0.destinationPort == 7 }.map { $0.sourcePort == nil && $0.sourceAddress != nil }
                ?? false
        }
        try #require(isCoarser, "after \(detailed): \(folder.text("one").suffix(1_000))")
        try traffic.end()
        #expect(try run.finish().balanced)
        let all = try records("one").filter { $0.destinationPort == 7 }
        let counted = all.reduce(into: Count()) { $0 += Count($1.packetsIn, $1.bytesIn) }
        let received = try wire.flows().filter { $0.key.destinationPort == 7 }.reduce(into: Count()) { $0 += $1.value }
        #expect(counted == received)
        #expect(all.map(\.flowsStarted).reduce(0, +) == 1)
        #expect(all.map(\.flowsCompleted).reduce(0, +) == 1)
    }

    @Test func appliesChangedInterval() throws {
        let run = try ReloadedRun(
            in: cable.node,
            folder,
            settings(["one"]).replacing("flush-interval: 1s", with: "flush-interval: \(WeirRun.endless)")
        )
        _ = try cable.toNode().udp(count: 10, size: 72, port: 7)
        #expect(folder.text("one").isEmpty)
        try run.reload(settings(["one"]))
        try #require(eventually { folder.text("one").contains(#""dest_port":7,"#) })
        #expect(RecordSums(try records("one")).totalReceived == Count(10, 1_000))
        #expect(try run.finish().balanced)
    }

    // MARK: Inventory

    @Test func appliesChangedInventoryFiles() throws {
        for name in ["red", "blue"] {
            let object = """
                {"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkSet", "metadata": {"name": "\(name)"},
                 "spec": {"nets": ["10.1.0.2/32"]}}
                """
            try object.write(toFile: folder.file(name + ".json"), atomically: true, encoding: .utf8)
        }
        func inventory(_ name: String) -> String { settings(["one"], "inventory: ['\(folder.file(name)).json']\n") }
        let run = try ReloadedRun(in: cable.node, folder, inventory("red"))
        _ = try cable.toNode().udp(count: 10, size: 72, port: 7)
        try #require(eventually { folder.text("one").contains(#""source_name_aggr":"red""#) })
        let refused = try run.refuse(inventory("green"))
        #expect(refused.contains("weir.yaml:6: inventory: cannot read \(folder.file("green")).json"), "\(refused)")
        try run.reload(inventory("blue"))
        try run.waitFor("inventory: file is new")
        try run.waitFor("inventory: file was removed; its objects are removed")
        _ = try cable.toNode().udp(count: 10, size: 72, port: 8)
        try #require(eventually { folder.text("one").contains(#""source_name_aggr":"blue""#) })
        #expect(try run.finish().balanced)
    }

    // MARK: Invalid settings

    /// Each error in a file is one line in the log, and the run keeps its settings.
    @Test func invalidFileChangesNothing() throws {
        let run = try ReloadedRun(in: cable.node, folder, settings(["one"]))
        let path = folder.file("weir.yaml")
        for (text, said) in [
            ("output: [", "\(path):1: not YAML"),
            ("- a\n", "\(path):1: the file is not a mapping of names to values"),
            ("flush-intervall: 5m\n", "\(path):1: 'flush-intervall' is no setting; did you mean 'flush-interval'?"),
            ("host: a\nflush-interval: 5x\n", "\(path):2: flush-interval: '5x' is no time"),
            ("host: a\nhost: b\n", "\(path):2: host: it is set twice"),
            ("host: a\nhttp-key: /x\n", "\(path):2: http-certificate and http-key belong together"),
            ("\noutput: 'pigeon:x'\n", "\(path):2: output: "),
            ("\n\nfilter: 'dest_port =='\n", "\(path):3: filter: position "),
            ("\ntable-slots: 5000\n", "\(path):2: table-slots 5000: a power of two"),
            ("\noutput: 'file:/no/such/folder/x'\n", "\(path):2: output: open file:/no/such/folder/x: "),
            ("\ninventory: /no/such/file\n", "\(path):2: inventory: cannot read /no/such/file"),
        ] {
            let lines = try run.refuse(text)
            #expect(lines.contains(said), "\(lines)")
            #expect(lines.split(separator: "\n").count == 1, "\(lines)")
        }
        _ = try cable.toNode().udp(count: 10, size: 72, port: 7)
        #expect(try run.finish().balanced)
        #expect(RecordSums(try records("one")).totalReceived == Count(10, 1_000))
    }
}
