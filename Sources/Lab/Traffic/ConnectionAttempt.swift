import CWeir
import Glibc

/// An attempt to open a TCP connection in the background.
///
/// The kernel repeats the SYN until there is an answer, or until this object is released.
package final class ConnectionAttempt {
    private let socket: TrafficSocket

    private init(_ address: LabAddress, _ port: UInt16) throws(LabError) {
        socket = try TrafficSocket(address.family, SOCK_STREAM)
        try socket.connect(to: address, port: port)
    }

    /// Starts to connect.
    ///
    /// - Parameters:
    ///   - client: the client's namespace.
    ///   - address: the destination address.
    ///   - port: the destination port; a listener is not required.
    /// - Returns: the pending attempt.
    /// - Throws: ``LabError`` if there is no route to the address.
    package static func begin(
        from client: NetworkNamespace,
        to address: LabAddress,
        port: UInt16
    ) throws(LabError) -> ConnectionAttempt {
        try client.perform { () throws(LabError) in try ConnectionAttempt(address, port) }.get()
    }

    /// Waits for the outcome up to a time limit; each outcome is returned once.
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
