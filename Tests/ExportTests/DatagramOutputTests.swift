import Foundation
import Glibc
import Synchronization
import Testing

@testable import Export

/// UDP: whole lines in each datagram.
struct DatagramOutputTests {
    /// Sizes of lines with their newline, and the size and number of lines of the first datagram.
    @Test(arguments: [
        ([1], 1, 1), ([1400], 1400, 1), ([1401], 1401, 1), ([700, 700], 1400, 2), ([700, 701], 700, 1),
        ([1, 1, 1], 3, 3), ([1399, 1, 1], 1400, 2), ([5000, 1], 5000, 1), ([70_000, 1], 70_000, 1),
    ])
    func packsWholeLines(sizes: [Int], count: Int, lines: Int) {
        let bytes = sizes.flatMap { [UInt8](repeating: 0x78, count: $0 - 1) + [UInt8(ascii: "\n")] }
        let datagram = bytes.withUnsafeBytes { DatagramSink.datagram(from: $0) }
        #expect(datagram.count == count)
        #expect(datagram.lines == lines)
    }

    @Test func sendsWholeLinesInEachDatagram() async throws {
        let listener = Listener(.udp)
        let output = try Output(listener.specification, logger: LogRecorder().logger)
        let sizes = [10, 20, 1370, 2, 3, 65_507, 65_508, 7, 100_000, 1400, 8]
        let lines = sizes.map { [UInt8](repeating: 0x78, count: $0 - 1) + [UInt8(ascii: "\n")] }
        output.submit(RecordBatch(bytes: Array(lines.joined()), records: lines.count))
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.delivered == 9 && statistics.drops == OutputDrops(tooLong: 2))
        var received: [Int] = []
        while let datagram = listener.receive(milliseconds: received.count < 6 ? 10_000 : 0) {
            #expect(datagram.last == UInt8(ascii: "\n"))
            received.append(datagram.count)
        }
        #expect(received == [1400, 5, 65_507, 7, 1400, 8])
    }

    /// Datagrams sent before the refusal is known are counted; later ones wait for the receiver.
    @Test func refusalLosesOnlyDatagramsSentBefore() async throws {
        let gone = Listener(.udp)
        let port = gone.port
        gone.stop()
        let log = LogRecorder()
        var options = OutputOptions()
        options.datagramSettling = .milliseconds(100)
        let output = try Output(.udp(host: "127.0.0.1", port: port), options: options, logger: log.logger)
        for number in 0..<20 { output.submit(NumberedLines.batch(number..<(number + 1))) }
        #expect(eventually { log.count("output is unavailable") == 1 })
        let refused = output.statistics.drops.refused
        #expect(refused > 0 && refused < 20)
        let listener = Listener(.udp, port: port)
        var received: [Int] = []
        #expect(
            eventually { () -> Bool in
                received += listener.receive(milliseconds: 10).flatMap(NumberedLines.numbers) ?? []
                return received.last == 19
            }
        )
        // A datagram that is sent as a probe may arrive twice if no error came for it in time.
        #expect(Set(received) == Set(refused..<20))
        #expect(eventually { log.count("output is back") == 1 })
        let final = output.finish(within: .seconds(30))
        #expect(final.drops == OutputDrops(refused: refused))
        #expect(final.delivered == 20 - refused)
        #expect(log.count("output is unavailable") == 1)
    }

    /// The packet filter's rule for the datagrams, in the syntax of nftables.
    @Test(
        .enabled(if: geteuid() == 0, "network namespaces are made by root"),
        arguments: [
            "drop", "reject with icmp type admin-prohibited", "reject with icmp type host-prohibited",
            "reject with icmp type net-unreachable", "reject with icmp type port-unreachable",
        ]
    )
    func doesNotCountFilteredDatagramsAsDelivered(_ verdict: String) throws {
        try inOwnNetworkNamespace {
            let listener = Listener(.udp)
            #expect(nft("add table inet t; add chain inet t o { type filter hook output priority 0; }"))
            #expect(nft("add rule inet t o udp dport \(listener.port) counter \(verdict)"))
            let log = LogRecorder()
            var options = OutputOptions()
            options.datagramSettling = .milliseconds(100)
            let output = try Output(listener.specification, options: options, logger: log.logger)
            for number in 0..<10 { output.submit(NumberedLines.batch(number..<(number + 1))) }
            // After several attempts nothing counts as delivered.
            #expect(eventually { droppedByFilter() >= 5 }, "\(log.messagesText)")
            #expect(output.statistics.delivered == 0)
            #expect(log.count("output is unavailable") == 1)
            #expect(log.count("output is back") == 0)
            #expect(nft("delete table inet t"))
            #expect(eventually { log.count("output is back") == 1 })
            let final = output.finish(within: .seconds(30))
            #expect(final.delivered == 10 && final.dropped == 0, "\(final) \(log.messagesText)")
            #expect(log.count("output is unavailable") == 1)
            var received: [Int] = []
            while let datagram = listener.receive(milliseconds: 0) {
                received += NumberedLines.numbers(in: datagram) ?? []
            }
            #expect(received == Array(0..<10))
        }
    }

    /// An unused address of a connected network: the kernel tries to resolve it for 3 s.
    @Test(.enabled(if: geteuid() == 0, "network namespaces are made by root"), arguments: ["10.9.9.2", "fd09::2"])
    func countsNothingDeliveredToUnresolvedNeighbour(_ host: String) throws {
        try inOwnNetworkNamespace {
            let isMade = [
                "link add v0 type veth peer name v1", "link set v1 up", "link set v0 up",
                "addr add 10.9.9.1/24 dev v0", "addr add fd09::1/64 dev v0 nodad",
            ].allSatisfy { run("ip \($0)").isSuccess }
            #expect(isMade)
            let log = LogRecorder()
            let output = try Output(.udp(host: host, port: 9), logger: log.logger)
            for number in 0..<10 { output.submit(NumberedLines.batch(number..<(number + 1))) }
            #expect(eventually { log.count("output is unavailable") == 1 })
            #expect(output.statistics.drops.refused > 0)
            for number in 10..<15 { output.submit(NumberedLines.batch(number..<(number + 1))) }
            let final = output.finish(within: .zero)
            #expect(final.delivered == 0)
            #expect(final.drops.refused + final.drops.unsent == 15, "\(final)")
            #expect(log.count("output is back") == 0)
        }
    }

    @Test func countsLinesFromQuotedDatagram() {
        var sent = SentDatagrams()
        let start = ContinuousClock.now
        func add(_ text: String, lines: Int, after seconds: Int) {
            Array(text.utf8).withUnsafeBytes { sent.add($0, lines: lines, at: start + .seconds(seconds)) }
        }
        add("a", lines: 1, after: 0)
        add("b", lines: 2, after: 3)
        add("c", lines: 4, after: 4)
        add("d", lines: 8, after: 5)
        #expect(sent.take(Array("c".utf8)) == 4)
        #expect(sent.take(Array("c".utf8)) == 0)
        var (all, some) = (sent, sent)
        // The first datagram is too old for an error.
        #expect(all.takeAll(from: nil, at: start + .seconds(5)) == 10)
        #expect(all.takeAll(from: nil, at: start + .seconds(5)) == 0)
        #expect(some.takeAll(from: Array("d".utf8), at: start + .seconds(5)) == 8)
        #expect(sent.takeAll(from: Array("unknown".utf8), at: start + .seconds(5)) == 10)
        for number in 0..<10_000 { add("\(number)", lines: 1, after: 6) }
        #expect(sent.takeAll(from: nil, at: start + .seconds(6)) == 10_000)
    }
}

// MARK: - Networks

/// Runs a test in a network namespace of its own, whose loopback is up; outputs that it makes send there.
private func inOwnNetworkNamespace(_ body: @escaping @Sendable () throws -> Void) throws {
    let result = Mutex<(any Error)?>(nil)
    let ended = DispatchSemaphore(value: 0)
    let thread = Thread {
        defer { ended.signal() }
        do {
            try #require(unshareNamespaces(0x4000_0000) == 0)
            try #require(run("ip link set lo up").isSuccess)
            try body()
        } catch {
            result.withLock { $0 = error }
        }
    }
    thread.start()
    ended.wait()
    if let error = result.withLock({ $0 }) { throw error }
}

private func nft(_ text: String) -> Bool { run("nft '\(text)'").isSuccess }

/// The packets that the only counter of the packet filter has seen.
private func droppedByFilter() -> Int {
    let words = run("nft list table inet t").output.split(separator: " ")
    return words.firstIndex(of: "packets").flatMap { Int(words[$0 + 1]) } ?? 0
}

/// Runs a command in the network namespace of this thread, which Foundation's `Process` may leave.
private func run(_ command: String) -> (isSuccess: Bool, output: String) {
    guard let pipe = popen(command, "r") else { return (false, "") }
    var text = ""
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, Int32(line.count), pipe) != nil {
        text += String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    return (pclose(pipe) == 0, text)
}
