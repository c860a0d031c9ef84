import Glibc

/// Finds the container of a cgroup of version 2 by the cgroup's number.
///
/// The tree of cgroups is read when a requested number is not known yet. A cgroup outlives its processes, so that the
/// containers of ended processes are found, too; removed cgroups stay in the table until it is half full, because
/// their last connections may still have to be reported. Without access to the root of the tree, no container is found.
struct CgroupTree {
    /// The possible mount points of the hierarchy: alone, beside version 1, and those of the host as seen in a container whose
    /// own mount has the container's cgroup as its root.
    static let roots = [
        "/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/host/sys/fs/cgroup", "/host/sys/fs/cgroup/unified",
    ]
    /// The inode number of the root directory; the inode numbers of the other directories are the numbers of their cgroups.
    private static let rootNumber: ino_t = 1
    /// The maximum number of cgroups, and the maximum depth below the root.
    private static let limit = 1 << 14
    private static let depthLimit = 16
    /// The pause after a reading, in units of its own duration: reading takes at most a fiftieth of a core.
    private static let pause: UInt64 = 50

    /// The containers by cgroup number; nil for cgroups that belong to no container.
    private var containers: [UInt64: String?] = [:]
    /// The time of the next reading at the earliest, CLOCK_MONOTONIC ns.
    private var nextRead: UInt64 = 0

    /// Opens the root directory; nil if it is not mounted, or if the mounted directory is not the root.
    static func openRoot() -> FileDescriptor? {
        for path in roots {
            if let root = openRoot(at: path) { return root }
        }
        return nil
    }

    /// The path of the root directory; nil if it is not visible.
    static var rootPath: String? {
        roots.first { path in
            switch openRoot(at: path) {
            case .some: true
            case .none: false
            }
        }
    }

    private static func openRoot(at path: String) -> FileDescriptor? {
        let directory = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return nil }
        let root = FileDescriptor(owning: directory)
        var status = stat()
        // Version 1 has no file cgroup.controllers.
        guard unsafe fstat(root.number, &status) == 0, status.st_ino == rootNumber,
            unsafe faccessat(root.number, "cgroup.controllers", F_OK, 0) == 0
        else { return nil }
        return root
    }

    /// The container that a cgroup belongs to; nil if it belongs to none, or if that is unknown.
    mutating func container(of cgroup: UInt64) -> String? {
        guard cgroup != 0 else { return nil }
        if let known = containers[cgroup] { return known }
        let now = Datapath.monotonicNow
        guard now >= nextRead else { return nil }
        read()
        let end = Datapath.monotonicNow
        nextRead = end + (end - now) * Self.pause
        if containers[cgroup] == nil, !containers.isEmpty { containers[cgroup] = .some(nil) }
        return containers[cgroup] ?? nil
    }

    /// Whether the last answer about a cgroup is final; otherwise the tree was read too recently to have it.
    func isLookedUp(_ cgroup: UInt64) -> Bool {
        cgroup == 0 || containers.isEmpty || containers[cgroup] != nil
    }

    private mutating func read() {
        // The kernel assigns increasing 64-bit numbers to cgroups, and reuses none.
        if containers.count > Self.limit / 2 { containers.removeAll(keepingCapacity: true) }
        guard let root = Self.openRoot() else { return }
        containers[UInt64(Self.rootNumber)] = .some(nil)
        read(root, in: nil, depth: 0)
    }

    /// Reads the cgroups below a directory.
    private mutating func read(_ directory: borrowing FileDescriptor, in container: String?, depth: Int) {
        guard depth < Self.depthLimit else { return }
        let copy = fcntl(directory.number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { return }
        guard let stream = unsafe fdopendir(copy) else {
            close(copy)
            return
        }
        defer { unsafe closedir(stream) }
        while let entry = unsafe readdir(stream), containers.count < Self.limit {
            guard unsafe entry.pointee.d_type == UInt8(DT_DIR) else { continue }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe String(cString: UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self))
            }
            guard name != ".", name != ".." else { continue }
            // The outermost identifier counts: the container itself may have created the directories below it, under any name.
            let inner = container ?? ContainerName.identifier(inName: name[...])
            containers[UInt64(unsafe entry.pointee.d_ino)] = .some(inner)
            let child = unsafe openat(directory.number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard child >= 0 else { continue }
            read(FileDescriptor(owning: child), in: inner, depth: depth + 1)
        }
    }
}
