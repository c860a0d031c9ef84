import NIOCore

/// Disconnects a client that has stopped reading its response.
///
/// The task of a response waits until the client has read enough, without a limit. It would keep its memory, its connection and
/// the place of its stream.
final class ReadingWatch: ChannelInboundHandler, RemovableChannelHandler {
    // All inbound data is passed on unchanged.
    typealias InboundIn = Never

    private let limit: TimeAmount
    private var timer: Scheduled<Void>?

    /// Creates the handler of one connection.
    ///
    /// - Parameter limit: the time in which the client must read some of a waiting response.
    init(limit: TimeAmount) {
        self.limit = limit
    }

    /// A response begins to wait for the client, or continues.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { stop() } else if timer == nil { start(context.channel) }
        context.fireChannelWritabilityChanged()
    }

    private func start(_ channel: any Channel) {
        let waiting = Self.waitingBytes(channel)
        timer = channel.eventLoop.assumeIsolated().scheduleTask(in: limit) { [self] in
            if Self.waitingBytes(channel) < waiting { start(channel) } else { channel.close(promise: nil) }
        }
    }

    /// The number of bytes that the system has not taken yet; nothing is added to them while the channel is not writable.
    private static func waitingBytes(_ channel: any Channel) -> Int {
        (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    private func stop() {
        timer?.cancel()
        timer = nil
    }

    /// The connection has ended.
    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    /// Handles a connection that ends or never starts.
    func handlerRemoved(context: ChannelHandlerContext) { stop() }
}
