import Glibc

/// The identity of a file: two paths with the same device and number are the same file.
package struct FileIdentity: Sendable, Hashable {
    /// The device that contains the file.
    package var device: UInt64
    /// The inode number on that device.
    package var number: UInt64
    /// The size in bytes.
    package var size: Int

    /// Whether both are the same file, whatever its size.
    package func isSame(as other: FileIdentity) -> Bool { device == other.device && number == other.number }

    fileprivate init(_ status: stat) {
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        size = Int(status.st_size)
    }
}

extension FileDescriptor {
    /// Returns the identity of the open file (`fstat(2)`).
    package func identity() throws(SystemError) -> FileIdentity {
        FileIdentity(try rawStatus())
    }

    /// Reads bytes at an offset, fewer at the end of the file (`pread(2)`).
    package func read(_ count: Int, at offset: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(SystemError) {
                let target = buffer
                initialized = try preadAll(target, at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    private func preadAll(_ target: UnsafeMutableBufferPointer<UInt8>, at offset: Int) throws(SystemError) -> Int {
        var done = 0
        while done < target.count {
            let count = try readOnce(target.baseAddress.map { $0 + done }, target.count - done, at: offset + done)
            guard count > 0 else { break }
            done += count
        }
        return done
    }
}

/// Operations on paths and the entries of folders.
package enum FolderEntry {
    /// Returns the identity of the file at a path; nil if there is none (`lstat(2)`).
    ///
    /// A symbolic link is not followed.
    package static func identity(of path: String) -> FileIdentity? {
        var status = stat()
        return lstat(path, &status) == 0 ? FileIdentity(status) : nil
    }

    /// Renames a file; a file that already has the new name is replaced (`rename(2)`).
    package static func rename(_ path: String, to other: String) throws(SystemError) {
        _ = try SystemError.check("rename") { Glibc.rename(path, other) }
    }

    /// Removes a name (`unlink(2)`).
    package static func remove(_ path: String) throws(SystemError) {
        _ = try SystemError.check("unlink") { unlink(path) }
    }

    /// Writes the entries of a folder to the disk (`fsync`), so that a file keeps its new name after a crash.
    package static func synchronize(folder: String) throws(SystemError) {
        try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY).synchronize()
    }

    /// The names in a folder, in no particular order (`readdir(3)`).
    package static func names(in folder: String) throws(SystemError) -> [String] {
        guard let stream = opendir(folder) else { throw SystemError("opendir") }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
