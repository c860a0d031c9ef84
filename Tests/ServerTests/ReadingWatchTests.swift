import NIOCore
import NIOEmbedded
import Testing

@testable import Server

/// A client must read some of a waiting response within the limit.
@Suite struct ReadingWatchTests {
    private let channel: EmbeddedChannel

    init() throws {
        channel = EmbeddedChannel(handler: ReadingWatch(limit: .seconds(60)))
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
    }

    private func wait(_ bytes: Int) {
        channel.write(ByteBuffer(repeating: 0, count: bytes), promise: nil)
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
    }

    private func advance(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

    @Test func closesAfterLimitWithoutProgress() {
        wait(100)
        advance(59)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
    }

    @Test func slowReaderStays() {
        wait(100)
        for rest in [90, 50, 1] {
            advance(59)
            channel.flush()
            channel.write(ByteBuffer(repeating: 0, count: rest), promise: nil)
            advance(1)
            #expect(channel.isActive)
        }
        advance(60)
        #expect(!channel.isActive)
    }

    /// Only the time counts in which a response waits.
    @Test func quietConnectionStays() {
        wait(100)
        advance(59)
        channel.flush()
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        advance(600)
        #expect(channel.isActive)
        wait(100)
        advance(59)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
    }
}
