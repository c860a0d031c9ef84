import Glibc

/// The datagrams of the last seconds, for which an error may still be received.
struct SentDatagrams {
    private struct Sent {
        var time: ContinuousClock.Instant
        var lines: Int
        /// The hash of the beginning; nil if the entry contains several datagrams.
        var beginning: Int?
    }

    /// The maximum time until an error is received: the kernel gives up a neighbour that does not answer after 3 s (`arp(7)`).
    static let memory = Duration.seconds(4)
    /// The maximum number of entries; beyond it, consecutive entries are merged.
    private static let capacity = 4096
    /// The number of bytes that are compared with those that an error quotes; RFC 1812 requires at least 500.
    private static let compared = 400

    private var entries: [Sent] = []

    /// Adds a datagram.
    mutating func add(_ datagram: UnsafeRawBufferPointer, lines: Int, at time: ContinuousClock.Instant) {
        if entries.count == Self.capacity { compact(at: time) }
        entries.append(Sent(time: time, lines: lines, beginning: Self.hash(datagram)))
    }

    private mutating func compact(at time: ContinuousClock.Instant) {
        entries.removeAll { time - $0.time > Self.memory }
        guard entries.count > Self.capacity / 2 else { return }
        var merged: [Sent] = []
        for index in stride(from: 0, to: entries.count, by: 2) {
            let pair = entries[index..<min(index + 2, entries.count)]
            guard let last = pair.last else { continue }
            merged.append(Sent(time: last.time, lines: pair.reduce(0) { $0 + $1.lines }))
        }
        entries = merged
    }

    /// Removes all datagrams.
    ///
    /// - Parameters:
    ///   - quoted: the beginning of the first datagram that may be lost; nil if all of the last seconds may be.
    ///   - time: the current time.
    /// - Returns: the number of lines that may not have arrived.
    mutating func takeAll(from quoted: [UInt8]?, at time: ContinuousClock.Instant) -> Int {
        defer { entries = [] }
        let first = quoted.flatMap { index(of: $0) } ?? 0
        return entries[first...].reduce(0) { $0 + (time - $1.time > Self.memory ? 0 : $1.lines) }
    }

    /// Removes the datagram that an error quotes, and returns its number of lines; 0 if it is not known.
    mutating func take(_ quoted: [UInt8]) -> Int {
        index(of: quoted).map { entries.remove(at: $0).lines } ?? 0
    }

    private func index(of quoted: [UInt8]) -> Int? {
        guard !quoted.isEmpty else { return nil }
        let hash = quoted.withUnsafeBytes { Self.hash($0) }
        return entries.firstIndex { $0.beginning == hash }
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes.prefix(compared)))
        return hasher.finalize()
    }
}
