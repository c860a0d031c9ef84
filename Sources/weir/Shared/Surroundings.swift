import Glibc

/// Checks of the process's environment when it starts.
enum Surroundings {
    /// Checks limits, and makes calls that exceed a limit return errors.
    ///
    /// - Throws: a `CommandFailure` if no command can work.
    static func prepare() throws {
        // A write beyond the limit of file sizes then fails with EFBIG.
        signal(SIGXFSZ, SIG_IGN)
        // Swift reads the arguments from /proc; without it, there would be none.
        guard !CommandLine.arguments.isEmpty else {
            throw CommandFailure(
                description: "/proc is not mounted, or not of this process: the arguments cannot be read; "
                    + "mount -t proc proc /proc, or give the container its own",
                isUnsupported: true
            )
        }
        try check(RLIMIT_NOFILE, "open files", least: 16, "ulimit -n, LimitNOFILE=")
        try check(RLIMIT_STACK, "bytes of stack", least: 256 << 10, "ulimit -s, LimitSTACK=")
    }

    /// Checks a limit against the need of every command for its threads and signals.
    private static func check(
        _ resource: __rlimit_resource,
        _ what: String,
        least: rlim_t,
        _ options: String
    ) throws {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0, limit.rlim_cur < least else { return }
        throw CommandFailure(
            description: "the limit of \(what) is \(limit.rlim_cur), and at least \(least) are needed; "
                + "raise it (\(options))",
            isUnsupported: true
        )
    }
}
