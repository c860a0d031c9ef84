import Glibc
import Logging

/// The number of descriptors that a run needs.
enum OpenFiles {
    /// Descriptors of one interface: two TCX links, and a claim with clsact.
    static let perInterface = 3
    /// Descriptors for everything else: maps, sockets, outputs, clients.
    static let others = 512
    /// The limit that is enough for 1,024 interfaces.
    static let wanted = rlim_t(1024 * perInterface + others)

    /// Raises the limit of open files to the need of 1,024 interfaces, or as far as possible.
    static func raiseLimit(_ logger: Logger) {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < wanted else { return }
        var raised = limit
        raised.rlim_max = max(limit.rlim_max, wanted)
        raised.rlim_cur = wanted
        // Raising the hard limit needs CAP_SYS_RESOURCE.
        if setrlimit(resource, &raised) == 0 { return }
        limit.rlim_cur = min(limit.rlim_max, wanted)
        guard setrlimit(resource, &limit) == 0, limit.rlim_cur >= wanted else {
            logger.warning(
                "few files may be open: not all interfaces of a large node can be watched; raise the limit (LimitNOFILE=, ulimit -Hn)",
                metadata: ["limit": "\(limit.rlim_max)", "wanted": "\(wanted)"]
            )
            return
        }
    }
}
