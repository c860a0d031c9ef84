import Glibc
import Posix
import Synchronization

/// The rotated files of a file: adds new ones, removes old ones, and compresses all but the newest.
struct RotatedFiles {
    private let folder: String
    private let name: String
    private let rotation: FileRotation
    private let compressor: FileCompressor?

    /// Takes the path of the file.
    init(path: String, rotation: FileRotation) {
        folder = TrustedFile.folder(of: path)
        compressor = rotation.compression.map(FileCompressor.init)
        name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        self.rotation = rotation
    }

    private func path(of rotated: RotatedName) -> String { folder + "/" + rotated.text(for: name) }

    /// The existing rotated files, oldest first.
    private func all() throws(SystemError) -> [RotatedName] {
        try FolderEntry.names(in: folder).compactMap { RotatedName($0, of: name) }.sorted()
    }

    /// The time of the last rotation, when the current file began; Unix time in milliseconds.
    var newest: Int64? { (try? all())?.last?.time }

    /// The current Unix time in milliseconds.
    private var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Renames the file to an unused rotated name.
    func add(_ path: String) throws(SystemError) {
        var rotated = RotatedName(time: now)
        // Names sort in the order of rotation, even if the clock is set back.
        if let newest, newest >= rotated.time { rotated = RotatedName(time: newest + 1) }
        while FolderEntry.identity(of: self.path(of: rotated)) != nil {
            rotated = RotatedName(time: rotated.time + 1)
        }
        try FolderEntry.rename(path, to: self.path(of: rotated))
    }

    /// Removes the oldest files beyond the limit, and starts to compress the others.
    ///
    /// - Returns: errors, for the operator.
    func tidy() -> [String] {
        var notices = compressor?.takeFailures() ?? []
        do throws(SystemError) {
            var kept = try all()
            while kept.count > rotation.maximumFiles {
                try FolderEntry.remove(path(of: kept.removeFirst()))
            }
            // Records of a killed run are removed from uncompressed files only, and slow readers read such files to the end.
            let latest = now - Int64(rotation.compressionDelay.components.seconds) * 1000
            compressor?.compress(
                kept.dropLast().filter { $0.compression == nil && $0.time <= latest }.map { path(of: $0) }
            )
        } catch {
            notices.append("rotated files cannot be removed, and take room: \(error)")
        }
        return notices
    }
}
