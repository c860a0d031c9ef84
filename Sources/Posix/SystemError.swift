import Glibc

/// A system call that failed.
package struct SystemError: Error, Hashable, CustomStringConvertible {
    /// The call's name.
    package let call: String
    /// The value of `errno`.
    package let code: Int32

    /// Takes the name of a call and the current `errno`; no other call may have changed it since.
    package init(_ call: String) {
        self.init(call, code: errno)
    }

    /// Takes a call's name and an error number.
    package init(_ call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    /// The call and the system's text for the error.
    package var description: String {
        "\(call): \(String(cString: strerror(code))) (errno \(code))" + Self.hint(code)
    }

    /// Returns a hint at the resource limit that causes the error; empty for other errors.
    private static func hint(_ code: Int32) -> String {
        switch code {
        case EFBIG: ": the limit of the size of files (ulimit -f, LimitFSIZE=), or that of the file system"
        case EMFILE: ": the limit of open files (ulimit -n, LimitNOFILE=)"
        default: ""
        }
    }

    /// Runs a call, and repeats it while a signal interrupts it.
    package static func check<Result: SignedInteger>(
        _ name: String,
        _ call: () -> Result
    ) throws(SystemError) -> Result {
        while true {
            let result = call()
            if result >= 0 { return result }
            let error = SystemError(name)
            if error.code != EINTR { throw error }
        }
    }
}
