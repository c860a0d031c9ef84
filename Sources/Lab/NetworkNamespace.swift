import CWeir
import Glibc

/// An anonymous network namespace: interfaces, addresses, routes and rules of its own, on this machine.
///
/// It has no name and no mount. Only this process holds it, so it and everything in it goes with the last reference to
/// this object, or with the process, however that ends. Making one needs root.
///
/// Sockets belong to the namespace of the thread that created them, no matter which thread uses them later.
package final class NetworkNamespace: Sendable {
    /// The kernel's number of the namespace: the inode of `/proc/thread-self/ns/net`.
    ///
    /// No other namespace has it as long as this one lives.
    package let inode: UInt64

    private let descriptor: Descriptor

    /// Makes an empty namespace with its loopback interface up.
    ///
    /// Nothing in it sends packets by itself: IPv6 addresses are usable at once (no duplicate address detection), and routers
    /// are neither solicited nor accepted. Ping sockets are allowed for everybody.
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
        // No link-local addresses, which announce themselves.
        ("net.ipv6.conf.default.addr_gen_mode", "1"),
    ]

    // MARK: Running code inside

    /// Runs a closure on a thread of its own inside the namespace and returns what it returns.
    ///
    /// The calling thread waits and stays in its own namespace. The closure must not keep work going on other threads:
    /// threads and tasks it starts do not inherit its namespace reliably, and task-local values are not visible in it.
    ///
    /// - Throws: what the closure throws, or ``LabError`` if the namespace cannot be entered.
    package func run<Value>(_ body: () throws -> Value) throws -> Value {
        try perform(body).get()
    }

    /// The same with the closure's own error type.
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

    /// Moves the calling thread into the namespace, for good.
    ///
    /// For a thread that belongs to the caller; never on a thread of the cooperative pool, where other tasks run next.
    package func enter() throws(LabError) {
        _ = try LabError.unwrap("enter a network namespace", weir_netns_enter(descriptor.number))
    }

    /// The path by which the programs of this machine can open the namespace as long as this object lives.
    var path: String { "/proc/\(getpid())/fd/\(descriptor.number)" }

    // MARK: Settings

    /// Writes a setting of the namespace, as `sysctl -w` does.
    ///
    /// - Parameters:
    ///   - name: the setting's name below `/proc/sys`, with `.` or `/` between its parts, such as `net.ipv4.ip_forward`;
    ///     with `/` an interface name may hold a `.`.
    ///   - value: the text to write.
    /// - Throws: ``LabError/system(operation:code:)`` if there is no such setting or the value is refused.
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
