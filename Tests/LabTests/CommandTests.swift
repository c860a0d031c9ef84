import Glibc
import Lab
import Synchronization
import Testing

@Suite("Commands in a namespace", .needsRoot)
struct CommandTests {
    @Test func outputCombinesStandardOutputAndError() throws {
        let namespace = try NetworkNamespace()
        #expect(try namespace.shell("echo one; echo two >&2; echo three") == "one\ntwo\nthree\n")
    }

    @Test func passesInputLargerThanPipeBuffer() throws {
        let namespace = try NetworkNamespace()
        let input = String(repeating: "0123456789abcde\n", count: 20_000)
        #expect(try namespace.command(["cat"], input: input) == input)
    }

    @Test func errorIncludesCommandAndItsOutput() throws {
        let namespace = try NetworkNamespace()
        let error = #expect(throws: LabError.self) { try namespace.ip("link set nowhere up") }
        #expect(error?.description == #"ip link set nowhere up: exit status 1: Cannot find device "nowhere""#)
    }

    @Test func batchErrorIncludesFailedLine() throws {
        let namespace = try NetworkNamespace()
        let peer = VethEnd(namespace, interface: "b", addresses: ["10.1.0.1/24", "10.1.0.1/24"])
        let error = #expect(throws: LabError.self) { try VethPair(VethEnd(namespace, interface: "a"), peer) }
        #expect(error?.description.hasPrefix("ip address add 10.1.0.1/24 dev b: exit status 1: ") == true)
    }

    @Test func reportsMissingProgram() throws {
        let namespace = try NetworkNamespace()
        let error = #expect(throws: LabError.self) { try namespace.command(["weir-no-such-program"]) }
        #expect(error?.description.hasPrefix("weir-no-such-program: exit status 127: not found in PATH") == true)
    }

    @Test func reportsSignalAsStatusAbove128() throws {
        let namespace = try NetworkNamespace()
        #expect(throws: LabError.command(line: "/bin/sh -c kill -TERM $$", status: 143, output: "")) {
            try namespace.shell("kill -TERM $$")
        }
    }

    /// What has happened in the start of a program.
    private final class Start: Sendable {
        let hasBegun = Atomic(false)
        let isAwaited = Atomic(false)
        let isOver = Atomic(false)
    }

    @Test func barrierAwaitsStartingPrograms() throws {
        let start = Start()
        let work = try BackgroundWork {
            _ = SpawnLock.start {
                start.hasBegun.store(true, ordering: .sequentiallyConsistent)
                while !start.isAwaited.load(ordering: .sequentiallyConsistent) { sched_yield() }
                for _ in 0..<1_000 { sched_yield() }
                start.isOver.store(true, ordering: .sequentiallyConsistent)
                return 0
            }
        }
        while !start.hasBegun.load(ordering: .sequentiallyConsistent) { sched_yield() }
        start.isAwaited.store(true, ordering: .sequentiallyConsistent)
        SpawnLock.barrier()
        let isOver = start.isOver.load(ordering: .sequentiallyConsistent)
        #expect(isOver)
        try work.value()
    }

    @Test func rulesStayInTheNamespace() throws {
        let (first, second) = (try NetworkNamespace(), try NetworkNamespace())
        try first.nft("table inet lab { }")
        #expect(try first.command(["nft", "list", "tables"]) == "table inet lab\n")
        #expect(try second.command(["nft", "list", "tables"]) == "")
        let error = #expect(throws: LabError.self) { try first.nft("tabel x") }
        #expect(error?.description.contains("nft -f -: exit status 1: ") == true)
    }

    @Test func queueingDisciplinesAndOffloadsAreSet() throws {
        let cable = try Cable()
        try cable.left.tc("qdisc add dev eth0 clsact")
        #expect(try cable.left.tc("qdisc show dev eth0").contains("clsact"))
        try cable.left.setOffloads("eth0", ["tso": false, "gso": false])
        let features = try cable.left.command(["ethtool", "-k", "eth0"])
        #expect(features.contains("tcp-segmentation-offload: off"))
        #expect(features.contains("generic-segmentation-offload: off"))
    }

    @Test(arguments: [
        (LabError.system(operation: "enter", code: 1), "enter: Operation not permitted (errno 1); the lab needs root"),
        (.system(operation: "bind", code: 98), "bind: Address already in use (errno 98)"),
        (.command(line: "ip x", status: 2, output: ""), "ip x: exit status 2: no output"),
        (.timeout(operation: "TCP", progress: "3 of 4"), "TCP: timed out: 3 of 4"),
        (.invalid("no pod named x"), "no pod named x"),
    ])
    func describesErrors(_ error: LabError, _ text: String) {
        #expect(error.description == text)
    }

    @Test(arguments: ["", "10.1", "1.2.3.4/8", "fe80::1%eth0", "x"])
    func rejectsInvalidAddress(_ text: String) {
        #expect(throws: LabError.invalid("not an IP address: \(text)")) { try LabAddress(text) }
    }
}
