/// The lines of a batch that still must be sent.
struct HTTPWork {
    /// The number of the batch; nil if there is none.
    let batch: UInt64?
    /// The size of its lines.
    let byteCount: Int
    /// Whether a request is in progress.
    var isAsking = false
    /// The server's receipt for the group, and the deadline for its confirmation.
    var receipt: (number: Int, until: ContinuousClock.Instant)?
    /// The number of lines that the server rejected.
    var rejected = 0
    /// Whether the server has accepted lines of the batch.
    var hasAccepted = false
    /// The first time at which the server barred lines of the batch while it accepted others.
    private var barredSince: ContinuousClock.Instant?
    private let bytes: [UInt8]
    private let lines: [Range<Int>]
    /// The indices of unsent lines, in groups; the last group is sent next.
    private var groups: [[Int]]
    /// The number of remaining splits; it limits the requests to a server that rejects everything.
    private var splits = 40

    /// No work.
    static let done = HTTPWork()

    private init() {
        (batch, byteCount, bytes, lines, groups) = (nil, 0, [], [], [])
    }

    /// Takes complete lines.
    init(_ source: UnsafeRawBufferPointer, _ batch: UInt64) {
        self.batch = batch
        byteCount = source.count
        bytes = Array(source)
        var lines: [Range<Int>] = []
        var start = 0
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(start..<end)
            start = end + 1
        }
        self.lines = lines
        groups = lines.isEmpty ? [] : [Array(lines.indices)]
    }

    /// The lines of the next request; nil if all are settled.
    var group: LineGroup? {
        guard let places = groups.last, let batch else { return nil }
        return LineGroup(batch: batch, places: places, lines: places.map { bytes[lines[$0]] })
    }

    /// Whether lines that the server bars must be rejected.
    ///
    /// If it bars a whole batch, its operator can mend that, and the lines wait without limit. If it accepts others of the
    /// same batch, the barred lines may be at fault; they must not block all later ones for ever.
    mutating func mustReject(barred isBarred: Bool, after limit: Duration) -> Bool {
        guard isBarred, hasAccepted else { return false }
        let since = barredSince ?? .now
        barredSince = since
        return since.duration(to: .now) >= limit
    }

    /// Settles the group, except some of its lines.
    mutating func settle(keeping numbers: [Int] = []) {
        guard let places = groups.popLast(), !numbers.isEmpty else { return }
        groups.append(numbers.map { places[$0] })
    }

    /// Halves the group; returns false if that is not possible.
    mutating func split() -> Bool {
        guard let places = groups.last, places.count > 1, splits > 0 else { return false }
        splits -= 1
        groups.removeLast()
        let middle = places.count / 2
        groups.append(Array(places[middle...]))
        groups.append(Array(places[..<middle]))
        return true
    }
}
