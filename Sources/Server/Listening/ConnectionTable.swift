import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// The connections of a listening address.
///
/// A client that sends nothing, or sends slowly, cannot exclude others: the number of connections of one remote address is
/// limited. At the total limit, a new connection replaces the oldest one without an admitted request, or else the oldest one
/// without an unanswered request. Some places are reserved for this host, so that other hosts cannot keep
/// out its probes.
final class ConnectionTable: Sendable {
    /// The maximum number of simultaneous connections.
    static let limit = 64
    /// The maximum number of simultaneous connections of all remote hosts.
    static let remoteLimit = 56
    /// The number of further connections that are accepted while others are being closed for them.
    static let closing = 16

    private enum Use {
        /// No request was admitted.
        case unknown
        /// All admitted requests are answered.
        case idle
        /// An admitted request is not answered yet.
        case busy
    }

    private struct Entry {
        let id: ObjectIdentifier
        let origin: [UInt8]?
        var use = Use.unknown
        let close: @Sendable () -> Void
    }

    private struct State {
        /// The connections, ordered by their start.
        var entries: [Entry] = []
        var closed = 0
        var warnedAt = 1

        /// Returns the index of the connection that a new one replaces; nil if there is none.
        func replaceable(remoteOnly: Bool) -> Int? {
            for use in [Use.unknown, .idle] {
                let index = entries.firstIndex { $0.use == use && (!remoteOnly || $0.origin != nil) }
                if let index { return index }
            }
            return nil
        }
    }

    private let state = Mutex(State())
    private let perAddress: Int
    private let logger: Logger

    /// Creates a table without connections.
    ///
    /// - Parameters:
    ///   - perAddress: the maximum number of connections of one remote address.
    ///   - logger: logs connections that are closed for new ones: the first, and then whenever their number has doubled.
    init(perAddress: Int, logger: Logger) {
        (self.perAddress, self.logger) = (perAddress, logger)
    }

    /// Adds a connection.
    ///
    /// - Parameters:
    ///   - id: the connection.
    ///   - origin: the bytes that identify the remote host; nil for this host.
    ///   - close: closes the connection, to make room for another one.
    /// - Returns: false if there is no room, and the connection is not added.
    func open(_ id: ObjectIdentifier, from origin: [UInt8]?, close: @escaping @Sendable () -> Void) -> Bool {
        let (isOpen, evicted, warning) = state.withLock { state -> (Bool, Entry?, Int?) in
            let known = origin.map { origin in state.entries.count { $0.origin == origin } } ?? 0
            guard known < perAddress else { return (false, nil, Self.countClosed(&state)) }
            var evicted: Entry?
            let isRemoteFull = origin != nil && state.entries.count { $0.origin != nil } >= Self.remoteLimit
            if isRemoteFull || state.entries.count >= Self.limit {
                guard let index = state.replaceable(remoteOnly: isRemoteFull) else {
                    return (false, nil, Self.countClosed(&state))
                }
                evicted = state.entries.remove(at: index)
            }
            state.entries.append(Entry(id: id, origin: origin, close: close))
            return (true, evicted, evicted == nil ? nil : Self.countClosed(&state))
        }
        evicted?.close()
        if let warning {
            logger.warning(
                """
                connections are closed for lack of room: \(Self.limit) are served at a time, \(Self.remoteLimit) of other \
                hosts, \(perAddress) of one of them
                """,
                metadata: ["closed": "\(warning)"]
            )
        }
        return isOpen
    }

    private static func countClosed(_ state: inout State) -> Int? {
        state.closed += 1
        guard state.closed >= state.warnedAt else { return nil }
        state.warnedAt = 2 * state.closed
        return state.closed
    }

    /// Marks a connection as having an admitted request that is not answered.
    func admit(_ id: ObjectIdentifier) { set(.busy, of: id) }

    /// Marks a connection as having no unanswered request; without effect if none was admitted.
    func finish(_ id: ObjectIdentifier) { set(.idle, of: id) }

    private func set(_ use: Use, of id: ObjectIdentifier) {
        state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.id == id }) else { return }
            if use == .busy || state.entries[index].use == .busy { state.entries[index].use = use }
        }
    }

    /// Closes all connections.
    func closeAll() {
        for entry in state.withLock({ $0.entries }) { entry.close() }
    }

    /// Removes a closed connection.
    func remove(_ id: ObjectIdentifier) {
        state.withLock { state in state.entries.removeAll { $0.id == id } }
    }

    /// Returns the bytes that identify a remote host: its IPv4 address, or the first 64 bits of its IPv6 address.
    ///
    /// A host can use all addresses of a 64-bit prefix.
    ///
    /// - Parameters:
    ///   - address: the remote address.
    ///   - local: the address that the client has called; a client with the same address is this host.
    /// - Returns: the bytes; nil for this host and for Unix sockets.
    static func origin(of address: SocketAddress?, calling local: SocketAddress? = nil) -> [UInt8]? {
        if let address = address?.ipAddress, address == local?.ipAddress { return nil }
        switch address {
        case .v4(let address):
            let bytes = withUnsafeBytes(of: address.address.sin_addr.s_addr) { Array($0) }
            return bytes[0] == 127 ? nil : bytes
        case .v6(let address):
            let bytes = withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
            if bytes == Array(repeating: 0, count: 15) + [1] { return nil }
            // An IPv4-mapped address (RFC 4291 section 2.5.5.2).
            guard bytes[..<12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] else { return Array(bytes[..<8]) }
            return bytes[12] == 127 ? nil : Array(bytes[12...])
        default: return nil
        }
    }
}

/// An outbound event: a request of the connection was admitted.
struct ConnectionAdmission: Sendable {}

/// Keeps a connection in its listener's table, and closes it if the headers of its first request are late.
final class ConnectionGate: ChannelDuplexHandler, RemovableChannelHandler {
    // All data is passed on unchanged.
    typealias InboundIn = Never
    typealias OutboundIn = HTTPConnectionStateHandler.OutboundIn

    private let connections: ConnectionTable
    private let refusals: Refusals
    private let headLimit: TimeAmount
    private var timer: Scheduled<Void>?
    private var isOpen = false

    /// Creates the handler of one connection.
    init(_ connections: ConnectionTable, _ refusals: Refusals, headLimit: TimeAmount) {
        (self.connections, self.refusals, self.headLimit) = (connections, refusals, headLimit)
    }

    /// Starts before the TLS handshake.
    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: headLimit) { channel.close(promise: nil) }
        if channel.isActive { open(channel) }
    }

    /// The remote address is known.
    func channelActive(context: ChannelHandlerContext) {
        open(context.channel)
        context.fireChannelActive()
    }

    private func open(_ channel: any Channel) {
        guard !isOpen else { return }
        isOpen = true
        let origin = ConnectionTable.origin(of: channel.remoteAddress, calling: channel.localAddress)
        guard !connections.open(ObjectIdentifier(channel), from: origin, close: { channel.close(promise: nil) }) else {
            return
        }
        channel.close(promise: nil)
    }

    /// Receives a part of a request; the first part is the request head.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        timer?.cancel()
        timer = nil
        context.fireChannelRead(data)
    }

    /// Handles a failed handshake or another error.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        refusals.note(error, from: context.channel.remoteAddress?.ipAddress)
        context.fireErrorCaught(error)
    }

    /// Receives a part of a response.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { connections.finish(ObjectIdentifier(context.channel)) }
        context.write(data, promise: promise)
    }

    /// Receives events from the tasks that handle requests.
    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is ConnectionAdmission else {
            context.triggerUserOutboundEvent(event, promise: promise)
            return
        }
        connections.admit(ObjectIdentifier(context.channel))
        promise?.succeed()
    }

    /// The connection has ended.
    func channelInactive(context: ChannelHandlerContext) {
        end(context)
        context.fireChannelInactive()
    }

    /// Handles a connection that ends or never starts.
    func handlerRemoved(context: ChannelHandlerContext) { end(context) }

    private func end(_ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        connections.remove(ObjectIdentifier(context.channel))
    }
}
