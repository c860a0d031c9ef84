/// What is left to do of a batch.
struct HTTPWork {
    /// The number of the batch; nil for none.
    let batch: UInt64?
    /// The size of its lines.
    let byteCount: Int
    /// Whether a request is on its way.
    var isAsking = false
    /// The number under which the server says that the group is safe, and until when that is waited for.
    var receipt: (number: Int, until: ContinuousClock.Instant)?
    /// Lines that nobody will take.
    var rejected = 0
    private let bytes: [UInt8]
    private let lines: [Range<Int>]
    /// Places of lines that still must be sent, in groups; the last one is next.
    private var groups: [[Int]]
    /// How often groups may still be split: a server that takes nothing at all is not asked for each line.
    private var splits = 40

    /// Nothing.
    static let done = HTTPWork()

    private init() {
        (batch, byteCount, bytes, lines, groups) = (nil, 0, [], [], [])
    }

    /// Takes whole lines.
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

    /// The lines of the next request; nil when all are done with.
    var group: LineGroup? {
        guard let places = groups.last, let batch else { return nil }
        return LineGroup(batch: batch, places: places, lines: places.map { bytes[lines[$0]] })
    }

    /// The group is done with, but for some of its lines.
    mutating func settle(keeping numbers: [Int] = []) {
        guard let places = groups.popLast(), !numbers.isEmpty else { return }
        groups.append(numbers.map { places[$0] })
    }

    /// Halves the group; false where that does not help.
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
