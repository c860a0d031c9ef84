package import Glibc
import Synchronization

/// Resolves a host name on a thread of its own, because a name server may answer late.
///
/// A caller that no longer needs the addresses drops the lookup; its thread ends when the resolver returns.
package final class AddressLookup: Sendable {
    /// The reason why a lookup failed.
    package struct Failure: Error {
        /// The resolver's text.
        package let reason: String
    }

    private let finished: Wakeup
    private let answer = Mutex<Result<[SocketAddress], Failure>?>(nil)

    /// Starts the lookup (`getaddrinfo(3)`).
    package init(host: String, port: UInt16, type: __socket_type) throws(SystemError) {
        finished = try Wakeup()
        // A numeric address needs no name server, and so no thread.
        if case .success(let addresses) = Self.ask(host, port, type, flags: AI_NUMERICHOST) {
            finish(.success(addresses))
        } else {
            try WorkerThread.start("weir-lookup") { [self] in
                finish(Self.ask(host, port, type, flags: AI_ADDRCONFIG))
            }
        }
    }

    /// The addresses; nil while the lookup is not finished.
    package func result() throws(Failure) -> [SocketAddress]? {
        try answer.withLock { $0 }?.get()
    }

    /// The entry to poll for the end of the lookup.
    package var pollEntry: PollEntry { finished.pollEntry }

    private func finish(_ result: Result<[SocketAddress], Failure>) {
        answer.withLock { $0 = result }
        finished.signal()
    }

    private static func ask(
        _ host: String,
        _ port: UInt16,
        _ type: __socket_type,
        flags: Int32
    ) -> Result<[SocketAddress], Failure> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(type.rawValue)
        hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else {
            return .failure(Failure(reason: "look up \(host): \(String(cString: gai_strerror(code)))"))
        }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ai_addr {
                addresses.append(SocketAddress(copying: address, length: Int(entry.pointee.ai_addrlen)))
            }
            next = entry.pointee.ai_next
        }
        return .success(addresses)
    }
}
