import Glibc

/// The reason why an operation of the lab failed.
package enum LabError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A system call failed; `code` is the `errno`.
    case system(operation: String, code: Int32)
    /// A program failed; `output` is its standard output and standard error.
    case command(line: String, status: Int32, output: String)
    /// There was no progress within the time limit.
    case timeout(operation: String, progress: String)
    /// The caller's arguments are invalid.
    case invalid(String)

    /// The operation, its object, the reason, and the remedy if it is known.
    package var description: String {
        switch self {
        case .system(let operation, let code):
            let advice = code == EPERM || code == EACCES ? "; the lab needs root" : ""
            return "\(operation): \(String(cString: strerror(code))) (errno \(code))\(advice)"
        case .command(let line, let status, let output):
            let text = output.isEmpty ? "no output" : output
            return "\(line): exit status \(status): \(text)"
        case .timeout(let operation, let progress):
            return "\(operation): timed out: \(progress)"
        case .invalid(let what):
            return what
        }
    }

    /// Runs a system call, repeats it if a signal interrupts it, and throws an error for -1.
    package static func check<Result: SignedInteger>(
        _ operation: @autoclosure () -> String,
        _ call: () -> Result
    ) throws(LabError) -> Result {
        while true {
            let result = call()
            if result >= 0 { return result }
            let code = errno
            if code != EINTR { throw .system(operation: operation(), code: code) }
        }
    }

    /// Returns the result of a function of CWeir: 0 or more; throws for `-errno`.
    package static func unwrap(_ operation: @autoclosure () -> String, _ result: Int32) throws(LabError) -> Int32 {
        guard result >= 0 else { throw .system(operation: operation(), code: 0 - result) }
        return result
    }
}
