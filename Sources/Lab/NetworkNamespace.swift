import CWeir
import Glibc

/// An anonymous network namespace with its own interfaces, addresses, routes and rules.
///
/// It has no name and no mount. Only this process holds it, so it ends with the last reference to this object or with the
/// process, together with everything in it. Creating a namespace needs root.
///
/// Sockets belong to the namespace of the thread that created them, even if another thread uses them.
package final class NetworkNamespace: Sendable {
    /// The inode number of the namespace in `/proc/thread-self/ns/net`.
    ///
    /// It is unique as long as the namespace exists.
    package let inode: UInt64

    private let descriptor: Descriptor

    /// Creates an empty namespace with its loopback interface up.
    ///
    /// The namespace sends no packets by itself: IPv6 addresses are usable immediately (no duplicate address detection), and
    /// router solicitations and advertisements are off. All users may create ping sockets.
    package init() throws(LabError) {
        let number = try PosixThread.run { () throws(LabError) in
            _ = try LabError.unwrap("make a network namespace", weir_netns_unshare())
            _ = try LabError.unwrap("set lo up", weir_netns_set_up("lo"))
            for (name, value) in Self.settings {
                try Self.write(value, to: name)
            }
            return try LabError.check("open the network namespace") {
                open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
            }
        }.get()
        descriptor = Descriptor(owning: number)
        var status = stat()
        _ = try LabError.check("look at the network namespace") { fstat(number, &status) }
        inode = UInt64(status.st_ino)
    }

    /// The settings that a new namespace must not inherit from the machine.
    private static let settings = [
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.default.rp_filter", "0"),
        ("net.ipv4.ping_group_range", "0 2147483647"),
        ("net.ipv6.conf.all.accept_dad", "0"),
        ("net.ipv6.conf.default.accept_dad", "0"),
        ("net.ipv6.conf.default.dad_transmits", "0"),
        ("net.ipv6.conf.default.accept_ra", "0"),
        ("net.ipv6.conf.default.router_solicitations", "0"),
        // Disables link-local addresses, which cause announcements.
        ("net.ipv6.conf.default.addr_gen_mode", "1"),
    ]

    // MARK: - Execution in the namespace

    /// Runs a closure on a separate thread in the namespace, and returns its result.
    ///
    /// The calling thread waits, and stays in its own namespace. The closure must not start work on other threads: threads and
    /// tasks that it starts do not reliably inherit its namespace. Task-local values are not visible in it.
    ///
    /// - Throws: the error of the closure, or ``LabError`` if the namespace cannot be entered.
    package func run<Value>(_ body: () throws -> Value) throws -> Value {
        try perform(body).get()
    }

    /// Does the same with the closure's error type.
    func perform<Value, Failure: Error>(
        _ body: () throws(Failure) -> Value
    ) throws(LabError) -> Result<Value, Failure> {
        var entered: Int32 = 0
        let result = try PosixThread.run { () throws(Failure) -> Value? in
            entered = weir_netns_enter(descriptor.number)
            return entered == 0 ? try body() : nil
        }
        _ = try LabError.unwrap("enter a network namespace", entered)
        switch result {
        case .success(let value?): return .success(value)
        case .success(nil): throw .invalid("enter a network namespace: no result")
        case .failure(let error): return .failure(error)
        }
    }

    /// Moves the calling thread into the namespace permanently.
    ///
    /// Must only be called on a thread of the caller, and never on a thread of the cooperative pool, which runs other tasks
    /// later.
    package func enter() throws(LabError) {
        _ = try LabError.unwrap("enter a network namespace", weir_netns_enter(descriptor.number))
    }

    /// A path by which programs on this machine can open the namespace, as long as this object exists.
    package var path: String { "/proc/\(getpid())/fd/\(descriptor.number)" }

    // MARK: Settings

    /// Writes a setting of the namespace, like `sysctl -w`.
    ///
    /// - Parameters:
    ///   - name: the name below `/proc/sys`, with `.` or `/` as separators, such as `net.ipv4.ip_forward`; with `/`, interface
    ///     names may contain `.`.
    ///   - value: the text to write.
    /// - Throws: ``LabError/system(operation:code:)`` if the setting does not exist, or if the value is rejected.
    package func setSysctl(_ name: String, _ value: String) throws(LabError) {
        try perform { () throws(LabError) in try Self.write(value, to: name) }.get()
    }

    private static func write(_ value: String, to name: String) throws(LabError) {
        let path = name.contains("/") ? name : String(name.map { $0 == "." ? "/" : $0 })
        // /proc/sys/net shows the namespace of the thread that opens it.
        let number = try LabError.check("open setting \(name)") { open("/proc/sys/\(path)", O_WRONLY | O_CLOEXEC) }
        let file = Descriptor(owning: number)
        _ = try LabError.check("set \(name) to \(value)") { Glibc.write(file.number, value, value.utf8.count) }
    }
}
