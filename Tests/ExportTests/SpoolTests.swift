import Glibc
import Posix
import Synchronization
import Testing

@testable import Export

/// Batches on disk: they survive the end of the process, and damage of the disk is detected.
struct SpoolTests {
    /// A folder with a spool, removed with everything in it.
    private final class Place {
        let folder = TemporaryFolder()
        var path: String { folder.path + "/spool" }

        var segments: [String] {
            ((try? FolderEntry.names(in: path)) ?? []).filter { $0.hasSuffix(".segment") }.sorted()
        }

        func spool(limit: Int = 1 << 30) throws -> Spool { try Spool(folder: path, limit: limit) }

        deinit {
            for name in (try? FolderEntry.names(in: path)) ?? [] { unlink(path + "/" + name) }
            rmdir(path)
        }
    }

    private let place = Place()

    private static func batch(_ number: Int, bytes: Int = 100) -> RecordBatch {
        let text = "batch \(number) "
        let padding = String(repeating: "x", count: max(0, bytes - text.utf8.count - 1))
        return RecordBatch(bytes: Array((text + padding + "\n").utf8), records: 1, rank: number % 5)
    }

    private static func number(of batch: RecordBatch) -> Int? {
        Int(String(decoding: batch.bytes.dropFirst(6).prefix { $0 != 0x20 }, as: UTF8.self))
    }

    private static func drain(_ spool: Spool) throws -> [Int] {
        var numbers: [Int] = []
        while let batch = try spool.read() {
            if let number = number(of: batch) { numbers.append(number) }
            spool.settle()
        }
        return numbers
    }

    @Test func readsBatchesInOrderAcrossSegments() throws {
        let spool = try place.spool()
        for number in 0..<300 { #expect(try spool.append(Self.batch(number, bytes: 100_000))) }
        #expect(place.segments.count == 4)
        let first = try #require(try spool.read())
        // The spool returns the same batch until it is settled.
        #expect(try spool.read()?.number == first.number)
        #expect(first.rank == 0 && first.records == 1)
        #expect(try Self.drain(spool) == Array(0..<300))
        #expect(place.segments.count == 1)
        #expect(try spool.append(Self.batch(300)))
        #expect(try Self.drain(spool) == [300])
    }

    @Test func resumesAtPositionAfterRestart() throws {
        var numbers: [UInt64] = []
        do {
            let spool = try place.spool()
            for number in 0..<100 {
                let batch = Self.batch(number, bytes: 200_000)
                numbers.append(batch.number)
                #expect(try spool.append(batch))
            }
            for _ in 0..<60 {
                _ = try spool.read()
                spool.settle()
            }
            _ = try spool.read()
        }
        let spool = try place.spool()
        #expect(try spool.read()?.number == numbers[60])
        #expect(try spool.append(Self.batch(100)))
        #expect(try Self.drain(spool) == Array(60...100))
        #expect(spool.bytes < 200)
        #expect(spool.damaged == 0)
    }

    @Test func rejectsBatchesOverLimit() throws {
        let spool = try place.spool(limit: 1_000_000)
        var taken = 0
        while try spool.append(Self.batch(taken, bytes: 10_000)) { taken += 1 }
        #expect(taken == 99)
        #expect(try Self.drain(spool) == Array(0..<99))
    }

    /// The whole oldest segment is dropped, except the batches that were read.
    @Test func dropsOldestUnreadBatches() throws {
        let spool = try place.spool(limit: 1_000_000)
        var taken = 0
        while try spool.append(Self.batch(taken, bytes: 10_000)) { taken += 1 }
        for _ in 0..<3 {
            _ = try spool.read()
            spool.settle()
        }
        let atHand = try #require(try spool.read())
        #expect(Self.number(of: atHand) == 3)
        let given = try #require(try spool.dropOldest())
        // Twelve fit into an eighth.
        #expect(given.count == 8 && given.allSatisfy { $0.records == 1 })
        spool.settle()
        #expect(try spool.append(Self.batch(taken)))
        #expect(try Self.drain(spool) == Array(12...taken))
        #expect(try spool.dropOldest() == nil)
    }

    @Test func rejectsSecondProcess() throws {
        let spool = try place.spool()
        let error = #expect(throws: FileError.self) { try place.spool() }
        #expect(error?.reason == "another process has this spool")
        withExtendedLifetime(spool) {}
    }

    /// The disk flips a bit anywhere: the spool counts damaged batches, keeps all others, and does not crash.
    @Test(arguments: 1...40)
    func detectsFlippedBits(seed: Int) throws {
        do {
            let spool = try place.spool()
            for number in 0..<20 { #expect(try spool.append(Self.batch(number))) }
        }
        let path = place.path + "/" + place.segments[0]
        let size = try #require(FolderEntry.identity(of: path)).size
        let file = open(path, O_RDWR)
        var offset = seed * 7_919 % size
        if seed > 35 { offset = seed - 36 }
        var byte: UInt8 = 0
        pread(file, &byte, 1, off_t(offset))
        byte ^= 1 << UInt8(seed % 8)
        pwrite(file, &byte, 1, off_t(offset))
        close(file)
        let spool = try place.spool()
        let numbers = try Self.drain(spool)
        let entry = size / 20
        // The state has no checksum: an entry is discarded or it is not.
        if (8..<12).contains(offset % entry) { return #expect(numbers == Array(0..<20) && spool.damaged == 0) }
        #expect(spool.damaged >= 1)
        #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
        // Only a damaged length hides the batches that follow.
        if !(0..<4).contains(offset % entry) { #expect(numbers.count == 19) }
    }

    /// Batches lost to damage are counted, those of this run and of an earlier one; nothing waits for ever.
    @Test(arguments: [false, true], [0, 5, 20, 60])
    func countsDamagedBatches(isOfEarlierRun: Bool, offset: Int) throws {
        let channel = try OutputChannel(queueLimit: 1 << 20)
        var spool: OutputSpool? = OutputSpool(try place.spool())
        for number in 0..<3 { #expect(channel.submit(Self.batch(number))) }
        spool?.takeIn(channel)
        let path = place.path + "/" + place.segments[0]
        let entry = try #require(FolderEntry.identity(of: path)).size / 3
        let file = open(path, O_RDWR)
        var byte: UInt8 = 0
        pread(file, &byte, 1, off_t(entry + offset))
        byte ^= 4
        pwrite(file, &byte, 1, off_t(entry + offset))
        close(file)
        let next = try isOfEarlierRun ? OutputChannel(queueLimit: 1 << 20) : channel
        if isOfEarlierRun {
            spool = nil
            spool = OutputSpool(try place.spool())
        }
        var found: [Int] = []
        while let batch = spool?.take(from: next) {
            found.append(try #require(Self.number(of: batch)))
            spool?.settle(.init(bytes: batch.bytes.count, delivered: 1), next)
        }
        // A damaged length hides the batches that follow.
        #expect(found == (offset == 0 ? [0] : [0, 2]))
        #expect(spool?.takeNotices().isEmpty == false)
        let statistics = next.statistics
        #expect(statistics.queued == 0 && statistics.delivered == found.count)
        #expect(statistics.drops == OutputDrops(damaged: offset == 0 && !isOfEarlierRun ? 2 : 1))
    }

    @Test(arguments: [0, 1, 5, 47, 48, 49, 60])
    func skipsTornEnd(bytes: Int) throws {
        do {
            let spool = try place.spool()
            for number in 0..<3 { #expect(try spool.append(Self.batch(number))) }
        }
        let path = place.path + "/" + place.segments[0]
        let size = try #require(FolderEntry.identity(of: path)).size
        truncate(path, off_t(size / 3 * 2 + bytes))
        let spool = try place.spool()
        #expect(try spool.append(Self.batch(7)))
        #expect(try Self.drain(spool) == [0, 1, 7])
    }

    /// Data that a run wrote after the last committed flush before it died is discarded for good; the rest stays.
    @Test func discardsUncommittedBatches() throws {
        let origins = [
            BatchOrigin(counters: 9, flush: 5), BatchOrigin(counters: 1, flush: 10), .none,
            BatchOrigin(counters: 1, flush: 20), BatchOrigin(counters: 1, flush: 30),
            BatchOrigin(counters: 9, flush: 50), BatchOrigin(counters: 1, flush: 30), .none,
            BatchOrigin(counters: 1, flush: 40),
        ]
        // Small ones in one segment, and large ones in several.
        for bytes in [100, 3_000_000] {
            let place = Place()
            do {
                let spool = try place.spool()
                for (number, origin) in origins.enumerated() {
                    var batch = Self.batch(number, bytes: bytes)
                    batch.origin = origin
                    #expect(try spool.append(batch))
                }
                #expect(Self.number(of: try #require(try spool.read())) == 0)
                spool.settle()
            }
            do {
                let last = BatchOrigin(counters: 1, flush: 30)
                let spool = try Spool(folder: place.path, limit: 1 << 30, lastFlush: last)
                #expect(spool.discarded == 3)
            }
            // A run that dies before it has read them does not bring them back.
            let spool = try Spool(folder: place.path, limit: 1 << 30, lastFlush: BatchOrigin(counters: 1, flush: 60))
            #expect(spool.discarded == 0)
            var batch = Self.batch(9)
            batch.origin = BatchOrigin(counters: 1, flush: 60)
            #expect(try spool.append(batch))
            #expect(try Self.drain(spool) == [1, 2, 3, 5, 7, 9])
            #expect(spool.damaged == 0)
        }
    }

    /// A batch is delivered when its flush is committed, or after a time in any case.
    @Test func holdsBackUncommittedBatches() throws {
        final class Time { var now = ContinuousClock.now }
        let time = Time()
        let start = time.now
        let spool = OutputSpool(try place.spool()) { time.now }
        let channel = try OutputChannel(queueLimit: 1 << 20)
        func flush(_ number: UInt64) -> BatchOrigin { BatchOrigin(counters: 1, flush: number) }
        func submit(_ number: Int) { #expect(channel.submit(Self.batch(number))) }
        func taken() -> Int? {
            let batch = spool.take(from: channel)
            if let batch { spool.settle(.init(bytes: batch.bytes.count, delivered: 1), channel) }
            return batch.flatMap(Self.number)
        }
        submit(0)
        channel.note(origin: flush(10))
        channel.note(committed: flush(10))
        submit(1)
        #expect(taken() == 0)
        #expect(taken() == nil && spool.heldUntil == start + OutputSpool.patience)
        channel.note(origin: flush(20))
        submit(2)
        #expect(taken() == nil && spool.isAllOnDisk)
        channel.note(committed: flush(20))
        #expect(taken() == 1)
        #expect(taken() == nil)
        time.now += OutputSpool.patience - .seconds(1)
        submit(3)
        #expect(taken() == nil)
        time.now += .seconds(1)
        #expect(taken() == 2)
        #expect(taken() == nil && spool.heldUntil == time.now + OutputSpool.patience - .seconds(1))
        channel.note(committed: flush(21))
        #expect(taken() == 3)
        #expect(taken() == nil && spool.heldUntil == nil)
        #expect(channel.statistics.delivered == 4 && channel.statistics.queued == 0)
    }

    /// kill -9 while batches are written and delivered: no batch is missing, and none is torn.
    @Test func killedProcessLosesNoBatches() async {
        let end = await #expect(processExitsWith: .exitCode(42), observing: [\.standardOutputContent]) {
            let folder = TemporaryFolder()
            let path = folder.path + "/spool"
            var kills = Kills(within: .seconds(6))
            var found = 0
            while kills.goOn {
                // The child reports over a pipe which batches it appended, each after the call.
                var ends: [Int32] = [-1, -1]
                pipe(&ends)
                let child = forkProcess()
                if child == 0 {
                    if let spool = try? Spool(folder: path, limit: 1 << 30) {
                        for number in 0..<10_000_000 {
                            guard (try? spool.append(SpoolTests.batch(number, bytes: 100 + number % 9_000))) == true
                            else { break }
                            var value = Int32(number)
                            write(ends[1], &value, 4)
                            if number % 3 == 0, (try? spool.read()) != nil { spool.settle() }
                        }
                    }
                    _exit(1)
                }
                close(ends[1])
                kills.kill(child, after: 500...12_500)
                let said = readToEnd(ends[0]).count / 4
                close(ends[0])
                let numbers = try SpoolTests.drain(try Spool(folder: path, limit: 1 << 30))
                // Delivered batches are gone; the others have no gap, up to the last reported one at least.
                if let first = numbers.first, let last = numbers.last {
                    guard numbers == Array(first...last), last >= said - 1, first <= said / 3 + 2 else { exit(1) }
                    found += numbers.count
                } else if said > 3 {
                    exit(2)
                }
                for name in (try? FolderEntry.names(in: path)) ?? [] { unlink(path + "/" + name) }
            }
            print("\(kills.done) kills, \(found) batches found again")
            rmdir(path)
            folder.remove()
            exit(kills.done >= Kills.least && found > 0 ? 42 : 3)
        }
        Kills.show(end)
    }

    // MARK: Outputs

    /// A full spool drops its oldest records if so configured; each record is delivered or counted.
    @Test func fullSpoolDropsOldestRecords() throws {
        var options = OutputOptions()
        options.spoolFolder = place.folder.path + "/open"
        options.spoolBytes = 1 << 20
        options.spoolDropsOldest = true
        options.http.isCompressing = false
        defer { removeOpen() }
        let gate = Gate()
        let server = try HTTPServerStub { gate.take($0.body) ? .respond(200) : .respond(503) }
        defer { server.stop() }
        let output = try Output(
            try OutputSpecification(parsing: server.url + "/in"),
            options: options,
            logger: LogRecorder().logger
        )
        for number in stride(from: 0, to: 3_000, by: 10) {
            output.submit(NumberedLines.batch(number..<(number + 10)), waitingUntil: .now + .seconds(60))
        }
        #expect(eventually { output.statistics.drops.queueFull > 1_900 })
        gate.open()
        #expect(eventually { output.statistics.queued == 0 })
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.delivered + statistics.drops.queueFull == 3_000)
        #expect(statistics.dropped == statistics.drops.queueFull)
        let numbers = try #require(NumberedLines.numbers(in: gate.bytes))
        // The records are in order up to the last one, with those that were in transit at the beginning.
        #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
        #expect(Array(numbers.suffix(800)) == Array(2_200..<3_000))
    }

    /// A full disk under the spool is logged while the reader is unavailable, and memory keeps the records.
    @Test(.enabled(if: geteuid() == 0, "mounts a small file system"))
    func reportsFullDiskWhileReaderIsUnavailable() throws {
        let mountPoint = place.folder.path + "/open"
        mkdir(mountPoint, 0o755)
        try #require(mount("tmpfs", mountPoint, "tmpfs", 0, "size=64k") == 0)
        defer {
            umount2(mountPoint, Int32(MNT_DETACH))
            rmdir(mountPoint)
        }
        var options = OutputOptions()
        options.spoolFolder = mountPoint
        let recorder = LogRecorder()
        let port = Listener(.tcp).port
        let output = try Output(.tcp(host: "127.0.0.1", port: port), options: options, logger: recorder.logger)
        #expect(eventually { recorder.count("output is unavailable") == 1 })
        for number in stride(from: 0, to: 200, by: 10) { output.submit(NumberedLines.batch(number..<(number + 10))) }
        #expect(eventually { recorder.count("the spool cannot be written") == 1 })
        #expect(output.statistics.queued == 200 && output.statistics.dropped == 0)
        let statistics = output.finish(within: .milliseconds(50))
        // The records on the disk wait for the next run.
        #expect(
            statistics.delivered == 0 && statistics.queued > 0 && statistics.queued + statistics.drops.unsent == 200
        )
    }

    /// Collects bodies once it is open.
    private final class Gate: Sendable {
        private let state = Mutex<(isOpen: Bool, bytes: [UInt8])>((false, []))

        var bytes: [UInt8] { state.withLock { $0.bytes } }

        func open() { state.withLock { $0.isOpen = true } }

        /// Accepts a body if the gate is open.
        func take(_ body: [UInt8]) -> Bool {
            state.withLock { state in
                if state.isOpen { state.bytes += body }
                return state.isOpen
            }
        }
    }

    private func removeOpen() {
        let path = place.folder.path + "/open"
        let own = (try? FolderEntry.names(in: path)) ?? []
        for folder in own.map({ path + "/" + $0 }) {
            for name in (try? FolderEntry.names(in: folder)) ?? [] { unlink(folder + "/" + name) }
            rmdir(folder)
        }
    }

    /// A server that is unavailable in one run gets all records in the next one, in order.
    @Test func recordsSurviveRestart() throws {
        let recorder = LogRecorder()
        var options = OutputOptions()
        options.spoolFolder = place.folder.path + "/open"
        defer { removeOpen() }
        let server = try HTTPServerStub([], then: .respond(503))
        let specification = try OutputSpecification(parsing: server.url + "/in")
        // The queue alone has room for a tenth of it.
        let first = try Output(specification, options: options, queueLimit: 500_000, logger: recorder.logger)
        for number in stride(from: 0, to: 5_000, by: 50) {
            first.submit(NumberedLines.batch(number..<(number + 50)), waitingUntil: .now + .seconds(60))
        }
        #expect(eventually { server.requests.count > 1 })
        let kept = first.finish(within: .milliseconds(100))
        #expect(kept.queued == 5_000 && kept.dropped == 0 && kept.delivered == 0)
        server.stop()

        let other = try HTTPServerStub([], port: server.port)
        defer { other.stop() }
        let second = try Output(specification, options: options, queueLimit: 500_000, logger: recorder.logger)
        second.submit(NumberedLines.batch(5_000..<5_001))
        #expect(eventually { second.statistics.delivered == 5_001 })
        let statistics = second.finish(within: .seconds(30))
        #expect(statistics.delivered == 5_001 && statistics.queued == 0 && statistics.dropped == 0)
        let bytes = other.requests.flatMap(\.body)
        #expect(NumberedLines.numbers(in: bytes) == Array(0..<5_001))
    }
}

/// `fork(2)`, which Swift's C library module hides; the child makes threads of its own only.
@_silgen_name("fork")
func forkProcess() -> Int32
