import CWeir
import Glibc

/// This agent's claim to the clsact filters of one interface: a name of the network namespace, held by a socket.
///
/// All agents give their filters the same handle, so that an agent finds and replaces the filters of a killed one. The claim
/// shows whether the agent that created them still runs; it ends with the process, even if that is killed.
struct ClsactClaim: ~Copyable {
    private let socket: FileDescriptor

    /// The result of an attempt.
    enum Taking: ~Copyable {
        /// This agent holds the claim now.
        case free(ClsactClaim)
        /// Another agent holds the claim; 0 if it is in another PID namespace.
        case held(pid: Int32)
        /// The claim could not be taken, for a reason that does not imply another agent.
        case unavailable
    }

    /// Takes the claim of an interface; nil if it cannot be taken and no other agent holds it.
    ///
    /// - Throws: ``DatapathError/inUse(interface:pid:)`` if another agent holds it.
    static func claim(_ link: Link) throws(DatapathError) -> ClsactClaim? {
        switch take(link.index) {
        case .free(let claim): return .some(consume claim)
        case .unavailable: return nil
        case .held(let pid): throw .inUse(interface: link.name, pid: pid)
        }
    }

    /// Whether no other agent holds the claim of an interface.
    static func isFree(_ ifindex: UInt32) -> Bool {
        if case .held = take(ifindex) { false } else { true }
    }

    /// Tries to take the claim of an interface of this thread's network namespace.
    ///
    /// Any process may hold such a name; only processes of root are agents.
    static func take(_ ifindex: UInt32) -> Taking {
        let name = "weir-clsact-\(ifindex)"
        // The holder may end between the two system calls.
        for _ in 0..<3 {
            let socket = unsafe weir_claim(name)
            if socket >= 0 { return .free(ClsactClaim(socket: FileDescriptor(owning: socket))) }
            guard socket == -EADDRINUSE else { return .unavailable }
            let holder = unsafe weir_claim_holder(name)
            if holder >= 0 { return .held(pid: holder) }
            if holder != -ECONNREFUSED { return .unavailable }
        }
        return .unavailable
    }
}
