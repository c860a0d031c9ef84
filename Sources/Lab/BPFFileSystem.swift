import Glibc

/// A private BPF file system, which is unmounted when this object is released.
package final class BPFFileSystem: Sendable {
    /// The mount point: a new folder.
    package let path: String

    /// Mounts it; needs root.
    package init() throws(LabError) {
        var template = Array("/tmp/weir-bpffs-XXXXXX".utf8CString)
        guard let folder = mkdtemp(&template) else { throw .system(operation: "make a folder for bpffs", code: errno) }
        let path = String(cString: folder)
        guard mount("bpf", path, "bpf", 0, nil) == 0 else {
            let code = errno
            rmdir(path)
            throw .system(operation: "mount bpffs at \(path)", code: code)
        }
        self.path = path
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        rmdir(path)
    }
}
