import Glibc

/// Determines whether the kernel is a real-time kernel (CONFIG_PREEMPT_RT).
///
/// In such a kernel, bottom halves are threads that may be preempted, so that two programs may run on one CPU at the same time
/// (since Linux 6.18 they do, where CONFIG_PREEMPT_RT_NEEDS_BH_LOCK is off). No memory is then written by one CPU alone.
package enum RealtimeKernel {
    /// Whether the running kernel is a real-time kernel.
    package static let isRunning: Bool = {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return false }
        let version = unsafe withUnsafeBytes(of: name.version) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return isRealtime(version: version, realtimeFile: firstByte(of: "/sys/kernel/realtime"))
    }()

    /// Decides by the version text of uname(2), and by the first character of `/sys/kernel/realtime`, which patched kernels
    /// before 6.12 have.
    static func isRealtime(version: String, realtimeFile: Character?) -> Bool {
        realtimeFile == "1" || version.split(separator: " ").contains("PREEMPT_RT")
    }

    private static func firstByte(of path: String) -> Character? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var byte: UInt8 = 0
        return unsafe read(descriptor, &byte, 1) == 1 ? Character(UnicodeScalar(byte)) : nil
    }
}
