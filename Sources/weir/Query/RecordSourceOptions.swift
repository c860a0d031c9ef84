import Agent
import ArgumentParser
import Foundation
import Records
import Store

/// Where recorded flows are read from.
struct RecordSourceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store that weir run --store writes. Default: \(RecordSourceOptions.defaultStore), if it is there.",
            valueName: "path"
        )
    )
    var store: String?

    @Option(help: ArgumentHelp("Instead, records of a file; - is standard input.", valueName: "file"))
    var from: String?

    /// Where the store of a service is.
    static let defaultStore = "/var/lib/weir/flows.db"

    func validate() throws {
        guard store == nil || from == nil else { throw ValidationError("--store and --from: give one of them") }
        guard store != "", from != "" else { throw ValidationError("--store, --from: the path is empty") }
    }

    /// What is read.
    ///
    /// - Throws: `CommandFailure` if it cannot be read.
    func open() throws -> OpenRecords {
        do {
            if let from { return try load(from) }
            let path = store ?? Self.defaultStore
            guard store != nil || access(path, F_OK) == 0 else {
                throw CommandFailure(
                    description:
                        "there is no store at \(path); give --store PATH, --from FILE, or start weir run --store PATH"
                )
            }
            return OpenRecords(reader: try StoreReader(path: path), writer: nil)
        } catch let error as StoreError {
            throw CommandFailure(description: "\(error)")
        }
    }

    private func load(_ path: String) throws -> OpenRecords {
        let writer = try StoreWriter.inMemory()
        let descriptor = path == "-" ? STDIN_FILENO : Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandFailure(description: "\(path): cannot open: \(String(cString: strerror(errno)))")
        }
        defer { if path != "-" { close(descriptor) } }
        var lines = LineReader(descriptor, name: path == "-" ? "standard input" : path)
        var tooLong = 0
        while let line = try lines.next(before: {}) {
            switch line {
            case .tooLong: tooLong += 1
            case .bytes(let range) where PolicyFlowReader.isBlank(lines.buffer, range): break
            case .bytes(let range): writer.take(lines.buffer, range)
            }
        }
        if let error = writer.commit() { throw error }
        let unreadable = writer.statistics.unreadable + tooLong
        if unreadable > 0 {
            FileHandle.standardError.write(Data("warning: \(path): \(unreadable) lines are no records\n".utf8))
        }
        return OpenRecords(reader: StoreReader(of: writer), writer: writer)
    }
}

/// Records that can be asked.
struct OpenRecords {
    /// Reads them.
    let reader: StoreReader
    /// Keeps those of a file in memory; nil for a store.
    let writer: StoreWriter?

    /// The end of what is recorded: for records of a file that is what "now" is, for a store it is the clock's.
    func now() throws -> Int64 {
        let clock = Int64(Date().timeIntervalSince1970)
        guard writer != nil else { return clock }
        return try reader.read { try $0.extent().newest } ?? clock
    }

    /// The time from which on there are records.
    func oldest() throws -> Int64? { try reader.read { try $0.extent().oldest } }
}
