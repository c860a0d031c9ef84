import Glibc

/// An operation of the datapath that failed: the operation, its object, the reason and the remedy.
public enum DatapathError: Error, Sendable, Hashable {
    /// The process lacks capabilities, named as in capabilities(7).
    case missingPrivilege(capabilities: [String])
    /// The kernel lacks a feature; `since` is the first version that has it.
    case unsupportedKernel(feature: String, since: String, advice: String)
    /// The environment of the process prevents the operation: something is not mounted, or a limit is too low.
    case unsuitable(reason: String, advice: String)
    /// The verifier refused a program; `line` is the last significant line of its log, `log` is the whole log.
    case verifier(line: String, omittedLines: Int, log: String)
    /// Another agent has its clsact filters on an interface; `pid` is 0 where it is in another PID namespace.
    case inUse(interface: String, pid: Int32)
    /// Another agent counts in this network namespace; `pid` is 0 where it is in another PID namespace.
    case running(pid: Int32)
    /// A system call or a library function failed with an errno.
    case system(operation: String, errno: Int32, advice: String)

    /// Whether the machine or the privileges are the reason, and not a fault of this run.
    public var isUnsupported: Bool {
        switch self {
        case .missingPrivilege, .unsupportedKernel, .unsuitable, .verifier: true
        case .system, .inUse, .running: false
        }
    }
}

extension DatapathError: CustomStringConvertible {
    /// The message for the operator, one line.
    public var description: String {
        switch self {
        case .missingPrivilege(let capabilities):
            "missing \(capabilities.joined(separator: ", ")): run as root (sudo), or give the container these capabilities"
        case .unsupportedKernel(let feature, let since, let advice):
            "this kernel has no \(feature) (in Linux since \(since))" + Self.appended(advice)
        case .unsuitable(let reason, let advice): reason + Self.appended(advice)
        case .verifier(let line, let omitted, _):
            "the kernel's verifier refused the program: \(line) (\(omitted) more lines: run with --log-level debug)"
        case .inUse(let interface, let pid):
            "another weir (\(pid > 0 ? "process \(pid)" : "in another container")) counts on \(interface) with clsact filters: "
                + "end it first, or leave the interface out (--exclude-interface)"
        case .running(let pid):
            "another weir (\(pid > 0 ? "process \(pid)" : "in another container")) counts in this network namespace: "
                + "end it first, or run this one with --no-pin to count beside it"
        case .system(let operation, let errno, let advice):
            "\(operation): \(Self.text(of: errno))" + Self.appended(advice.isEmpty ? Self.advice(errno) : advice)
        }
    }

    /// Returns the remedy for an errno, independent of the operation.
    private static func advice(_ errno: Int32) -> String {
        switch errno {
        case EMFILE: "raise the limit of open files (ulimit -n, LimitNOFILE=)"
        case ENFILE: "the system's limit of open files is reached (sysctl fs.file-max)"
        // libbpf's error for types that it does not find.
        case ESRCH: "is the type information in /sys/kernel/btf/vmlinux that of this kernel?"
        default: ""
        }
    }

    private static func appended(_ advice: String) -> String {
        advice.isEmpty ? "" : "; \(advice)"
    }

    /// The C library's text for an errno.
    static func text(of errno: Int32) -> String {
        unsafe String(cString: strerror(errno))
    }
}

/// Runs a system call that returns -1 and sets errno, again while it is interrupted.
///
/// - Returns: what the call returned, 0 or more.
@inline(__always)
func systemCall(
    _ operation: @autoclosure () -> String,
    advice: @autoclosure () -> String = "",
    _ call: () -> Int32
) throws(DatapathError) -> Int32 {
    while true {
        let result = call()
        if result >= 0 { return result }
        let code = errno
        if code != EINTR { throw .system(operation: operation(), errno: code, advice: advice()) }
    }
}

/// Checks a result of libbpf or of a shim: 0 or more, or -errno.
@inline(__always)
@discardableResult
func checked(
    _ operation: @autoclosure () -> String,
    advice: @autoclosure () -> String = "",
    _ result: Int32
) throws(DatapathError) -> Int32 {
    if result >= 0 { return result }
    throw .system(operation: operation(), errno: -result, advice: advice())
}
