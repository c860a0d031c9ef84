import Agent
import Foundation
import Glibc
import Records

/// Reads records from a file, once to the end or continuously.
struct RecordFileReader {
    /// The path, or `-` for standard input.
    let path: String
    /// Whether to continue at the end of the file, also when the file is moved away and created again.
    let follows: Bool
    /// Stops the reading.
    let stop: StopSource

    /// Lines that are not records: their number, and descriptions of the first ones.
    struct Rejects {
        /// The number of lines.
        var lines = 0
        fileprivate static let named = 3
    }

    private var name: String { path == "-" ? "standard input" : path }

    /// Reads all records.
    ///
    /// - Parameters:
    ///   - show: receives each record.
    ///   - pause: called before a read that may wait.
    /// - Returns: the lines that are not records.
    /// - Throws: `CommandFailure` if the file cannot be read.
    func read(_ show: (ReadRecord) throws -> Void, pause: () throws -> Void) throws -> Rejects {
        var rejects = Rejects()
        var descriptor = try open()
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var lines = makeLines(descriptor)
        var number = 0
        while number & 1023 != 0 || !stop.isStopped {
            guard let line = try lines.next(before: pause) else {
                guard follows else { break }
                try pause()
                if stop.wait(milliseconds: 200) { break }
                guard let new = try reopened(descriptor) else { continue }
                close(descriptor)
                descriptor = new
                lines = makeLines(new)
                continue
            }
            number += 1
            try take(line, number, lines, &rejects, show)
        }
        return rejects
    }

    private func makeLines(_ descriptor: Int32) -> LineReader {
        var lines = LineReader(descriptor, name: name)
        lines.follows = follows
        return lines
    }

    private func take(
        _ line: LineReader.Line,
        _ number: Int,
        _ lines: borrowing LineReader,
        _ rejects: inout Rejects,
        _ show: (ReadRecord) throws -> Void
    ) throws {
        let reason: String
        switch line {
        case .tooLong: reason = "longer than \(LineReader.limit) bytes"
        case .bytes(let range):
            if PolicyFlowReader.isBlank(lines.buffer, range) { return }
            let record: ReadRecord
            do throws(RecordError) {
                record = try ReadRecord(lines.buffer[range])
            } catch {
                reason = "\(error)"
                break
            }
            return try show(record)
        }
        rejects.lines += 1
        if rejects.lines <= Rejects.named { say("warning: \(name): line \(number) is no record: \(reason)") }
    }

    private func open() throws -> Int32 {
        if path == "-" { return STDIN_FILENO }
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandFailure(description: "\(path): cannot open: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    /// A descriptor of the file at the path, if it has been replaced; nil otherwise.
    private func reopened(_ descriptor: Int32) throws -> Int32? {
        guard path != "-" else { return nil }
        var here = stat()
        var there = stat()
        guard fstat(descriptor, &here) == 0, stat(path, &there) == 0 else { return nil }
        guard here.st_ino != there.st_ino || here.st_dev != there.st_dev else { return nil }
        return try open()
    }

    private func say(_ line: String) {
        complain(line)
    }
}
