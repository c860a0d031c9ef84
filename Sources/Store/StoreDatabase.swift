import FoundationEssentials
import GRDB
import Glibc
import Posix

/// Opens the store's database file, for its one writer or for readers.
enum StoreDatabase {
    /// Opens the file for the writer, and creates it if necessary.
    ///
    /// A file that is damaged, or was not written by Weir, is renamed to `PATH.aside-TIME`, and a new one is created.
    ///
    /// - Returns: the database, the descriptor of the lock, and the new path of an unusable file.
    static func openForWriting(_ path: String) throws -> (queue: DatabaseQueue, lock: Int32, setAside: String?) {
        try checkType(path)
        let lock = try lock(path)
        do {
            if let queue = try open(path) { return (queue, lock, nil) }
        } catch let error where isDamage(error) {
            // The file is set aside below.
        } catch {
            close(lock)
            throw error
        }
        let aside = try setAside(path)
        return (try create(path), lock, aside)
    }

    /// Creates a new file in place of one that was set aside.
    static func create(_ path: String) throws -> DatabaseQueue {
        guard let queue = try open(path) else { throw StoreError.unavailable("\(path) cannot be created again") }
        return queue
    }

    /// Opens the file for reading.
    static func openForReading(_ path: String) throws -> DatabaseQueue {
        guard access(path, R_OK) == 0 else {
            throw StoreError.unavailable("\(path): \(String(cString: strerror(errno)))")
        }
        do {
            let queue = try DatabaseQueue(path: path, configuration: StoreSchema.configuration(isReadOnly: true))
            try queue.read { db in
                let kind = try StoreSchema.kind(db)
                guard kind == .ours else { throw StoreError.unavailable("\(path) is no store of Weir's") }
                try StoreSchema.check(db)
            }
            return queue
        } catch let error as DatabaseError {
            throw isDamage(error)
                ? StoreError.corrupt("\(path): \(error.message ?? "")")
                : StoreError.unavailable("\(path): \(error.message ?? "\(error)")")
        }
    }

    /// Opens a store in memory, for the records of a file.
    static func inMemory() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = "weir-records"
        let queue = try DatabaseQueue(configuration: configuration)
        try queue.write { try StoreSchema.prepare($0) }
        return queue
    }

    /// Whether SQLite reports that the file is damaged or not a database, or the store that its tables are.
    static func isDamage(_ error: any Error) -> Bool {
        if case StoreError.corrupt = error { return true }
        guard let error = error as? DatabaseError else { return false }
        return error.resultCode == .SQLITE_CORRUPT || error.resultCode == .SQLITE_NOTADB
    }

    /// Opens and prepares the file; nil if it is a database of another program.
    private static func open(_ path: String) throws -> DatabaseQueue? {
        // The file is created with its permissions before it has content.
        try make(path)
        // Read-only first: a database of another program must not be changed.
        var probe = Configuration()
        probe.readonly = true
        let kind = try DatabaseQueue(path: path, configuration: probe).read { try StoreSchema.kind($0) }
        guard kind != .foreign else { return nil }
        let queue = try DatabaseQueue(path: path, configuration: StoreSchema.configuration(isReadOnly: false))
        try queue.write { db in
            try StoreSchema.prepare(db)
            // Throws if the flow keys are not what a writer leaves.
            _ = try KeyTable(StoreAccess(db))
        }
        return queue
    }

    /// Creates the file if necessary, and rejects a file that another user created or can redirect.
    private static func make(_ path: String) throws {
        do throws(FileError) {
            // SQLite opens these files by name.
            for suffix in ["-wal", "-shm", "-journal"] { try TrustedFile.check(path + suffix) }
            _ = try TrustedFile.open(path, O_RDWR | O_CREAT, mode: 0o600, followsLinks: false)
        } catch {
            throw StoreError.unavailable("\(path): \(error.reason); \(error.advice)")
        }
    }

    private static func lock(_ path: String) throws -> Int32 {
        try make(path + ".lock")
        let descriptor = Glibc.open(path + ".lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            throw StoreError.unavailable("\(path).lock: \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw StoreError.isLocked(path: path)
        }
        return descriptor
    }

    /// Throws if the path is a device, FIFO or link, which is never a store and must not be renamed.
    private static func checkType(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG else { return }
        throw StoreError.unavailable("\(path) is no regular file; choose another path")
    }

    /// Renames an unusable file to `PATH.aside-TIME`.
    ///
    /// - Returns: the new path.
    static func setAside(_ path: String) throws -> String {
        let aside = "\(path).aside-\(time(nil))"
        for suffix in ["", "-wal", "-shm"] where access(path + suffix, F_OK) == 0 {
            guard rename(path + suffix, aside + suffix) == 0 else {
                throw StoreError.unavailable("\(path): cannot be set aside: \(String(cString: strerror(errno)))")
            }
        }
        return aside
    }
}
