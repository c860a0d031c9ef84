import CWeir
import Glibc

/// An attempt to open a TCP connection that goes on by itself: the kernel repeats the SYN until there is an answer, or this
/// object is released.
package final class ConnectionAttempt {
    private let socket: TrafficSocket

    private init(_ address: LabAddress, _ port: UInt16) throws(LabError) {
        socket = try TrafficSocket(address.family, SOCK_STREAM)
        try socket.connect(to: address, port: port)
    }

    /// Begins to connect.
    ///
    /// - Parameters:
    ///   - client: where from.
    ///   - address: the address that is called.
    ///   - port: the port, where nothing need listen.
    /// - Returns: the attempt, which goes on.
    /// - Throws: ``LabError`` if there is no way to the address.
    package static func begin(
        from client: NetworkNamespace,
        to address: LabAddress,
        port: UInt16
    ) throws(LabError) -> ConnectionAttempt {
        try client.perform { () throws(LabError) in try ConnectionAttempt(address, port) }.get()
    }

    /// Waits for an end of it, at most for so long; what happened since the last call is returned once.
    package func outcome(within limit: Duration) throws(LabError) -> ConnectionOutcome {
        guard try waitUntilReady([socket.interest(POLLOUT)], limit) else { return .timedOut }
        switch try socket.pendingError() {
        case 0: return .connected
        case ECONNREFUSED: return .refused
        case ETIMEDOUT: return .timedOut
        case let code: return .failed(code)
        }
    }
}
