import Agent
import Foundation
import Lab
import Testing

/// The built program, run as an operator runs it.
enum WeirProgram {
    /// The path of the program: the one in `WEIR_PROGRAM` (scripts/check-restarts, scripts/check-scale), else in the folder of
    /// the test's own executable.
    static let path =
        ProcessInfo.processInfo.environment["WEIR_PROGRAM"]
        ?? (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        .map { URL(fileURLWithPath: $0).deletingLastPathComponent().appendingPathComponent("weir").path }
        ?? "weir"
}

/// `weir run` in a namespace, with records to a file and a report.
final class WeirRun {
    /// A flush interval that ends with the run: its next multiple in Unix time is in 2061.
    static let endless = "400000h"

    /// The process.
    let process: ChildProcess
    private let folder: TemporaryFolder
    private let name: String

    /// Starts it, and waits until it watches interfaces of the namespace.
    ///
    /// - Parameters:
    ///   - namespace: where it runs.
    ///   - folder: where it writes.
    ///   - interfaces: names that the log must have as watched before this returns.
    ///   - arguments: more options, after those that every test needs.
    /// - Throws: if it ends, or does not watch in time.
    init(
        in namespace: NetworkNamespace,
        _ folder: TemporaryFolder,
        watching interfaces: [String] = ["eth0"],
        _ arguments: [String] = []
    ) throws {
        self.folder = folder
        name = URL(fileURLWithPath: folder.unusedPath("run")).lastPathComponent
        process = try namespace.start(
            [
                WeirProgram.path, "run", "--aggregation-allowed", "0", "--flush-interval", "1s",
                "--output", "file:" + folder.file(name + ".records"), "--report", folder.file(name + ".report"),
            ] + arguments,
            keepingIn: folder
        )
        for interface in interfaces { try waitFor("watching \(interface) ") }
    }

    /// Waits until the log contains a text.
    func waitFor(_ text: String) throws {
        let isThere = eventually { process.errors.contains(text) || process.hasEnded }
        try #require(isThere && process.errors.contains(text), "no \"\(text)\" in: \(process.errors)")
    }

    /// Ends it with SIGTERM and checks that it ended well.
    func finish() throws {
        process.signal(SIGTERM)
        try waitForEnd()
    }

    /// Waits for its end by itself and checks that it ended well.
    func waitForEnd() throws {
        let status = process.wait()
        try #require(status == 0, "\(process.errors)")
        #expect(!process.errors.contains("error"), "\(process.errors)")
    }

    /// The file that records go to.
    var recordsPath: String { folder.file(name + ".records") }

    /// The lines of the file so far.
    var lines: [Substring] { folder.lines(name + ".records") }

    /// The records of the file so far.
    func records() throws -> [RecordLine] { try lines.map { try RecordLine($0) } }

    /// Waits until the sums of the records so far are complete.
    ///
    /// A run that ends while much traffic is not yet processed records the rest in less detail.
    func waitForRecords(until areComplete: (RecordSums) throws -> Bool) throws {
        let areThere = try eventually { try areComplete(RecordSums(try records())) }
        #expect(areThere)
    }

    /// The account that it wrote at the end.
    func report() throws -> AccountReport {
        try JSONDecoder().decode(AccountReport.self, from: Data(folder.text(name + ".report").utf8))
    }
}

extension Count {
    /// Takes a pair of an account.
    init(_ pair: AccountReport.Pair) {
        self.init(pair.packets, pair.bytes)
    }
}

extension InterfaceCounters {
    /// Received traffic.
    var received: Count { Count(receivedPackets, receivedBytes) }
    /// Sent traffic.
    var sent: Count { Count(sentPackets, sentBytes) }
}
