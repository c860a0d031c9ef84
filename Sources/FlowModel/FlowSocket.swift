/// A report, since the last one, of the socket at one end of a flow, of its handshake, or of DNS lookups.
public struct FlowSocket: Sendable, Equatable {
    /// The datapath's identifier of the flow: small and dense.
    public var flowID: UInt32
    /// Whether the socket belongs to the near end; otherwise to the far end.
    public var isNear: Bool
    /// The statistics of the socket; nil if they are not collected.
    public var statistics: TCPStatistics?
    /// The process that owns the socket; nil if it is not known or not collected.
    public var process: FlowProcess?
    /// The duration of the handshake, reported once; nil if it was not timed or is not complete.
    public var handshake: HandshakeTimes?
    /// The durations of DNS lookups, microseconds; nil if there was none.
    public var lookups: TCPStatistics.Gauge?

    /// Takes all members.
    public init(
        flowID: UInt32,
        isNear: Bool,
        statistics: TCPStatistics?,
        process: FlowProcess? = nil,
        handshake: HandshakeTimes? = nil,
        lookups: TCPStatistics.Gauge? = nil
    ) {
        self.lookups = lookups
        self.flowID = flowID
        self.isNear = isNear
        self.statistics = statistics
        self.process = process
        self.handshake = handshake
    }

    /// Adds a later report of the same socket; a process that it has replaces the former one.
    public mutating func add(_ later: FlowSocket) {
        if let more = later.statistics {
            if statistics == nil { statistics = more } else { statistics?.add(more) }
        }
        if let process = later.process { self.process = process }
        handshake.add(later.handshake)
        lookups.add(later.lookups)
    }
}

/// The durations of TCP handshakes, measured at an interface.
public struct HandshakeTimes: Sendable, Hashable {
    /// From the first SYN to the ACK that completes the handshake, including retransmissions; microseconds.
    public private(set) var connect = TCPStatistics.Gauge()
    /// From a packet of the reporting endpoint to the other end's answer, microseconds.
    ///
    /// For the end that opened the connection, from its SYN to the SYN-ACK; for the other end, from its SYN-ACK to the ACK.
    public private(set) var rtt = TCPStatistics.Gauge()

    /// The first retransmission timeout, microseconds (RFC 6298, section 2.1).
    ///
    /// An answer that took longer may not be the answer to the first packet.
    private static let retransmissionTimeout: UInt32 = 1_000_000

    /// Creates the durations of one handshake, in microseconds.
    ///
    /// An answer that may have come after a retransmission does not count as a round-trip time.
    public init(connect: UInt32, answer: UInt32) {
        self.connect = TCPStatistics.Gauge(connect)
        if answer < Self.retransmissionTimeout { rtt = TCPStatistics.Gauge(answer) }
    }

    /// Adds other handshakes.
    public mutating func add(_ other: HandshakeTimes) {
        connect.add(other.connect)
        rtt.add(other.rtt)
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

        /// Creates a gauge without samples.
        public init() {}

        /// Creates a gauge with one sample; 0 means no sample.
        public init(_ value: UInt32) {
            guard value > 0 else { return }
            (count, smallest, largest, sum) = (1, value, value, UInt64(value))
        }

        /// Creates a gauge of several samples.
        public init(count: UInt32, sum: UInt64, smallest: UInt32, largest: UInt32) {
            (self.count, self.sum, self.smallest, self.largest) = (count, sum, smallest, largest)
        }

        /// The mean, rounded down; 0 without samples.
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
    /// The smallest round-trip time of a connection so far, microseconds.
    public var minRTT = Gauge()
    /// Segment size, bytes.
    public var mss = Gauge()
    /// Retransmitted segments.
    public var retransmissions: UInt64 = 0
    /// Segments that TCP considered lost.
    public var lost: UInt64 = 0
    /// Expiries of the retransmission timer.
    public var timeouts: UInt64 = 0

    /// Creates an empty value.
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
