import ClusterModel
import Testing

/// The same random numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    /// Starts with a seed.
    init(_ seed: UInt64) { state = seed }

    /// The next number (SplitMix64).
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

/// The way in which bytes arrive.
enum Chunking: Sendable, CustomTestStringConvertible {
    case whole
    case each(Int)
    case random(seed: UInt64, most: Int)

    var testDescription: String { "\(self)" }

    /// The bytes in pieces.
    func pieces(of bytes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        var generator = SeededGenerator(0)
        if case .random(let seed, _) = self { generator = SeededGenerator(seed) }
        while start < bytes.count {
            let length =
                switch self {
                case .whole: bytes.count
                case .each(let length): length
                case .random(_, let most): Int.random(in: 1...most, using: &generator)
                }
            let end = min(start + length, bytes.count)
            pieces.append(Array(bytes[start..<end]))
            start = end
        }
        return pieces
    }
}

/// The objects of a list stream, and its end.
struct ListOutcome {
    var items: [Result<ClusterObject, ObjectIssue>] = []
    var end: Result<ListEnd, StreamError>

    /// Feeds a body in pieces.
    init(_ pieces: [[UInt8]], kind: ObjectKind, itemLimit: Int = 64 << 20) {
        var stream = ListStream(kind: kind, itemLimit: itemLimit)
        var items: [Result<ClusterObject, ObjectIssue>] = []
        do throws(StreamError) {
            for piece in pieces { try stream.append(piece.span) { items.append($0) } }
            end = .success(try stream.finish())
        } catch {
            end = .failure(error)
        }
        self.items = items
    }

    /// All of it as text.
    var text: [String] { items.map { "\($0)" } + ["\(end)"] }
}

/// The events of a watch stream, and whether it ended within a line.
struct WatchOutcome {
    var events: [WatchEvent] = []
    var isCut = false

    /// Feeds a body in pieces.
    init(_ pieces: [[UInt8]], kind: ObjectKind, lineLimit: Int = 64 << 20) {
        var stream = WatchStream(kind: kind, lineLimit: lineLimit)
        var events: [WatchEvent] = []
        for piece in pieces { stream.append(piece.span) { events.append($0) } }
        isCut = stream.finish { events.append($0) }
        self.events = events
    }

    /// All of it as text.
    var text: [String] { events.map { "\($0)" } + ["cut: \(isCut)"] }
}

extension ObjectDecoder {
    /// Decodes a text.
    static func object(_ text: String, as kind: ObjectKind?) throws(ObjectIssue) -> ClusterObject? {
        try object(from: Array(text.utf8).span, as: kind)
    }

    /// Decodes a text and gives the findings too, each as its path and reason.
    static func withFindings(_ text: String, as kind: ObjectKind?) throws -> (ClusterObject?, [String]) {
        var findings: [ObjectIssue] = []
        let object = try object(from: Array(text.utf8).span, as: kind, findings: &findings)
        return (object, findings.map { "\(PathComponent.text($0.path)): \($0.reason)" })
    }
}
