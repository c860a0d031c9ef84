/// A report of the TCP socket at one end of a flow: what changed since the last report.
public struct FlowSocket: Sendable, Equatable {
    /// The datapath's number for the flow.
    public var number: UInt32
    /// Whether it is the socket of the near end; else of the far end.
    public var isNear: Bool
    /// Its statistics; nil if they are not collected.
    public var statistics: TCPStatistics?
    /// The process that owns it; nil if that is not known, or not collected.
    public var process: FlowProcess?

    /// Takes all members.
    public init(number: UInt32, isNear: Bool, statistics: TCPStatistics?, process: FlowProcess? = nil) {
        self.number = number
        self.isNear = isNear
        self.statistics = statistics
        self.process = process
    }
}

/// Statistics of TCP sockets over a period of time (`tcp_info` of the kernel).
public struct TCPStatistics: Sendable, Hashable {
    /// A gauge that was sampled several times: number of samples, sum, smallest and largest value.
    public struct Gauge: Sendable, Hashable {
        /// The number of samples.
        public private(set) var count: UInt32 = 0
        /// The smallest value; 0 if there was none.
        public private(set) var smallest: UInt32 = 0
        /// The largest value; 0 if there was none.
        public private(set) var largest: UInt32 = 0
        private var sum: UInt64 = 0

        /// No value yet.
        public init() {}

        /// One value; 0 stands for none.
        public init(_ value: UInt32) {
            guard value > 0 else { return }
            (count, smallest, largest, sum) = (1, value, value, UInt64(value))
        }

        /// The mean, rounded down; 0 if there was no value.
        public var mean: UInt64 { count == 0 ? 0 : sum / UInt64(count) }

        /// Adds the samples of another gauge.
        public mutating func add(_ other: Gauge) {
            guard other.count > 0 else { return }
            smallest = count == 0 ? other.smallest : min(smallest, other.smallest)
            largest = max(largest, other.largest)
            count &+= other.count
            sum &+= other.sum
        }
    }

    /// Congestion window, segments.
    public var window = Gauge()
    /// Smoothed round-trip time, microseconds.
    public var rtt = Gauge()
    /// Smallest round-trip time that a connection had so far, microseconds.
    public var minRTT = Gauge()
    /// Segment size, bytes.
    public var mss = Gauge()
    /// Retransmitted segments.
    public var retransmissions: UInt64 = 0
    /// Segments that TCP considered lost.
    public var lost: UInt64 = 0
    /// Expiries of the retransmission timer.
    public var timeouts: UInt64 = 0

    /// Nothing yet.
    public init() {}

    /// Adds the statistics of other sockets, or later ones of the same socket.
    public mutating func add(_ other: TCPStatistics) {
        window.add(other.window)
        rtt.add(other.rtt)
        minRTT.add(other.minRTT)
        mss.add(other.mss)
        retransmissions &+= other.retransmissions
        lost &+= other.lost
        timeouts &+= other.timeouts
    }
}
