/// Packets and bytes.
///
/// IP traffic is counted as on the wire: a segmentation-offload super-packet counts as the packets that it becomes. Bytes are
/// those of the IP layer, with headers and without link-layer padding.
public struct TrafficCounters: Hashable, Sendable {
    /// Number of packets.
    public var packets: UInt64
    /// Number of bytes.
    public var bytes: UInt64

    /// No traffic.
    public static let zero = TrafficCounters(packets: 0, bytes: 0)

    /// Takes a number of packets and a number of bytes.
    @inlinable
    public init(packets: UInt64, bytes: UInt64) {
        self.packets = packets
        self.bytes = bytes
    }

    /// Adds both numbers; sums wrap at 2^64.
    @inlinable
    public static func += (left: inout TrafficCounters, right: TrafficCounters) {
        left.packets &+= right.packets
        left.bytes &+= right.bytes
    }

    /// Returns the sum of both numbers; sums wrap at 2^64.
    @inlinable
    public static func + (left: TrafficCounters, right: TrafficCounters) -> TrafficCounters {
        TrafficCounters(packets: left.packets &+ right.packets, bytes: left.bytes &+ right.bytes)
    }

    /// Returns the difference to other counters; both numbers are at least 0.
    public func subtracting(_ other: TrafficCounters) -> TrafficCounters {
        TrafficCounters(
            packets: packets - min(packets, other.packets),
            bytes: bytes - min(bytes, other.bytes)
        )
    }
}
