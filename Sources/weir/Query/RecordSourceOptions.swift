import Agent
import ArgumentParser
import Foundation
import Records
import Store

/// The source of recorded flows.
struct RecordSourceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            The store that weir run --store writes, or a cluster's, as in 'clickhouse:https://host:8443;user=weir;\
            password-file=PATH'. Default: \(RecordSourceOptions.defaultStore), if it is there.
            """,
            valueName: "path"
        )
    )
    var store: String?

    @Option(help: ArgumentHelp("Instead, records of a file; - is standard input.", valueName: "file"))
    var from: String?

    /// The default path of the service's store.
    static let defaultStore = "/var/lib/weir/flows.db"

    /// Whether the store is on a server.
    var isRemote: Bool { store?.hasPrefix("clickhouse:") ?? false }

    func validate() throws {
        guard store == nil || from == nil else { throw ValidationError("--store and --from: give one of them") }
        guard store != "", from != "" else { throw ValidationError("--store, --from: the path is empty") }
    }

    /// Opens the records.
    ///
    /// - Throws: `CommandFailure` if they cannot be read.
    func open() throws -> OpenRecords {
        do {
            if let from { return try load(from) }
            if let store, store.hasPrefix("clickhouse:") { return OpenRecords(try ClickHouseClient.store(store)) }
            let path = store ?? Self.defaultStore
            guard store != nil || access(path, F_OK) == 0 else {
                throw CommandFailure(
                    description:
                        "there is no store at \(path); give --store PATH, --from FILE, or start weir run --store PATH"
                )
            }
            return OpenRecords(try StoreReader(path: path))
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
            complain("warning: \(path): \(unreadable) lines are no records")
        }
        return OpenRecords(StoreReader(of: writer), ofFile: writer)
    }
}
