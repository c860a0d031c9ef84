import Agent
import Audit
import Foundation
import Glibc

/// Reads the lines of audit logs, once to the end or continuously.
struct AuditInput {
    private let paths: [String]
    private let selection: AuditSelection?
    /// The counts of the lines read so far.
    private(set) var counts = AuditCounts()

    /// Takes the files that the options name.
    ///
    /// - Parameters:
    ///   - options: the files.
    ///   - selection: what is read of them; everything by default.
    /// - Throws: `CommandFailure` if the options name no file, and the usual logs do not exist.
    init(_ options: AuditFileOptions, where selection: AuditSelection? = nil) throws {
        self.selection = selection
        let named = options.files.isEmpty ? AuditFileOptions.usual.filter { access($0, R_OK) == 0 } : options.files
        guard !named.isEmpty else {
            throw CommandFailure(
                description:
                    "no audit log: \(AuditFileOptions.usual[0]) is not there; name a file, or - for standard input"
            )
        }
        paths = options.rotated ? named.flatMap { RotatedLog.files(of: $0) + [$0] } : named
    }

    /// Takes logs, and also reads the files to which they were rotated.
    init(logs: [String], where selection: AuditSelection) {
        self.selection = selection
        paths = logs.flatMap { RotatedLog.files(of: $0) + [$0] }
    }

    /// A closure that takes an event, the buffer with its line, and the range of the line.
    typealias Show = (AuditEvent, [UInt8], Range<Int>) throws -> Void

    /// Reads all events.
    ///
    /// - Throws: `CommandFailure` if a file cannot be read.
    mutating func read(_ show: Show) throws {
        for path in paths { try read(path, show) }
    }

    private mutating func read(_ path: String, _ show: Show) throws {
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure(path, "cannot open") }
        defer { if path != "-" { close(descriptor) } }
        var lines = AuditLines()
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure(path, "cannot read") }
            if count == 0 { break }
            lines.append(chunk[..<count])
            while let line = lines.next() { try take(line, lines.buffer, show) }
        }
        if let line = lines.last() { try take(line, lines.buffer, show) }
    }

    /// Reads all events, and continues at the end of the files, also after a rotation.
    ///
    /// - Parameters:
    ///   - stop: stops the reading.
    ///   - show: receives the events.
    ///   - pause: called before a read that may wait.
    /// - Throws: `CommandFailure` if a file cannot be read.
    mutating func follow(until stop: StopSource, _ show: Show, pause: () throws -> Void) throws {
        guard !paths.contains("-") else {
            throw CommandFailure(description: "--follow: standard input has no name to follow")
        }
        let followers: [FollowedFile] = paths.map { FollowedFile($0) }
        while !stop.isStopped {
            for index in followers.indices {
                try followers[index].forEach { line, buffer in try take(line, buffer, show) }
            }
            try pause()
            if stop.wait(milliseconds: 200) { return }
        }
    }

    private mutating func take(_ line: AuditLines.Line, _ buffer: [UInt8], _ show: Show) throws {
        guard let event = counts.event(of: line, in: buffer, where: selection), case .bytes(let place) = line else {
            return
        }
        try show(event, buffer, place)
    }

    /// A warning about lines that could not be read, for standard error; nil if there are none.
    var warning: String? {
        guard counts.bad > 0 else { return nil }
        let first = counts.firstError.map { "; the first: \($0)" } ?? ""
        return "warning: \(counts.bad) lines are no audit events\(first)"
    }

    private static func failure(_ path: String, _ what: String) -> CommandFailure {
        CommandFailure(description: "\(path): \(what): \(String(cString: strerror(errno)))")
    }
}

/// A reference to a follower, so that an array can contain it.
private final class FollowedFile {
    private let path: String
    private var follower: AuditFollower

    init(_ path: String) {
        self.path = path
        follower = AuditFollower(path, from: nil)
    }

    /// Reads all lines that are available now.
    func forEach(_ body: (AuditLines.Line, [UInt8]) throws -> Void) throws {
        while let line = try next() { try body(line, follower.buffer) }
    }

    private func next() throws -> AuditLines.Line? {
        do {
            return try follower.next()
        } catch {
            throw CommandFailure(description: "\(path): \(error)")
        }
    }
}
