import Agent
import Foundation
import Lab
import Testing

/// `weir run` with a settings file that a test writes anew while it runs.
final class ReloadedRun {
    /// The process.
    let process: ChildProcess
    private let folder: TemporaryFolder
    private let name: String
    private var reads = 0

    /// Starts it, and waits until it watches eth0.
    ///
    /// - Parameters:
    ///   - namespace: where it runs.
    ///   - folder: where it writes, and where its settings are.
    ///   - settings: the settings file.
    ///   - arguments: more options, which go before the file.
    /// - Throws: if it ends, or does not watch in time.
    init(
        in namespace: NetworkNamespace,
        _ folder: TemporaryFolder,
        _ settings: String,
        _ arguments: [String] = []
    ) throws {
        self.folder = folder
        name = URL(fileURLWithPath: folder.unusedPath("run")).lastPathComponent
        try Self.write(settings, to: folder)
        process = try namespace.start(
            [
                WeirProgram.path, "run", "--config", Self.path(in: folder), "--report", folder.file(name + ".report"),
                "--http", "off", "--poll-interval", "100ms",
            ] + arguments,
            keepingIn: folder
        )
        try waitFor("watching eth0 ")
    }

    private static func path(in folder: TemporaryFolder) -> String { folder.file("weir.yaml") }

    private static func write(_ settings: String, to folder: TemporaryFolder) throws {
        try settings.write(toFile: path(in: folder), atomically: true, encoding: .utf8)
    }

    /// Writes the file anew and waits until it was read, by itself, and is in force.
    ///
    /// Without SIGHUP, so that the file is read once.
    func reload(_ settings: String) throws {
        try Self.write(settings, to: folder)
        reads += 1
        let isRead = eventually { occurrences("settings read again") >= reads || process.hasEnded }
        try #require(isRead && !process.hasEnded, "\(process.errors)")
    }

    /// Returns the number of log lines with a text.
    private func occurrences(_ text: String) -> Int { process.errors.components(separatedBy: text).count - 1 }

    /// Writes a file that cannot be used, waits until it was read and returns the log lines about it.
    func refuse(_ settings: String) throws -> String {
        let before = occurrences("the settings stay as they were")
        try Self.write(settings, to: folder)
        let isRefused = eventually { occurrences("the settings stay as they were") > before || process.hasEnded }
        try #require(isRefused && !process.hasEnded, "\(process.errors)")
        return process.errors.split(separator: "\n").filter { $0.contains("the settings stay as they were") }
            .dropFirst(before).joined(separator: "\n")
    }

    /// Waits until the log contains a text.
    func waitFor(_ text: String) throws {
        let isThere = eventually { process.errors.contains(text) || process.hasEnded }
        try #require(isThere && process.errors.contains(text), "no \"\(text)\" in: \(process.errors)")
    }

    /// Ends it with SIGTERM, checks that it ended well and returns its account.
    func finish() throws -> AccountReport {
        process.signal(SIGTERM)
        try #require(process.wait() == 0, "\(process.errors)")
        return try JSONDecoder().decode(AccountReport.self, from: Data(folder.text(name + ".report").utf8))
    }
}
