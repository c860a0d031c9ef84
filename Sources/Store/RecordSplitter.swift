import FlowModel
import Records

/// Splits a record's line into flow key, detail, times and counters; contains one record at a time.
///
/// A line in Weir's own form is recognized by its bytes if a line with the same texts was split before (``KnownLines``). All
/// other lines are parsed as JSON. Both ways have the same result.
struct RecordSplitter {
    /// The number of the flow key if the line was recognized; ``key`` is then that of another line.
    private(set) var keyNumber: Int?
    /// The values of the key's fields, with separators between them.
    private(set) var key: [UInt8] = []
    /// The values of the detail's fields, with separators; empty if all are empty.
    private(set) var detail: [UInt8] = []
    /// Start of the interval, Unix seconds.
    private(set) var start: Int64 = 0
    /// End of the interval, Unix seconds.
    private(set) var end: Int64 = 0
    /// The counters in the order of ``StoreFields/counters``.
    private(set) var counters = [UInt64](repeating: 0, count: StoreFields.counters.count)
    private var places = RecordPlaces()
    private var parts = LineParts()
    private var known = KnownLines()
    /// Whether the current line can be added to the known lines.
    private var isNew = false
    /// The index of each number of ``LineParts`` among the counters; nil for times.
    private static let partCounters = LineParts.fields.map { StoreFields.counters.firstIndex(of: $0) }

    private static let emptyKeys = StoreFields.key.map { Array($0.description.emptyJSON.utf8) }
    private static let emptyDetails = StoreFields.detail.map { Array($0.description.emptyJSON.utf8) }

    /// Creates a splitter without a record.
    init() {
        key.reserveCapacity(2048)
    }

    /// Splits a line.
    ///
    /// - Throws: the reason why the line is not a record.
    mutating func split(_ bytes: [UInt8], _ range: Range<Int>) throws(RecordError) {
        keyNumber = nil
        isNew = false
        let isKnown = try bytes.withUnsafeBufferPointer { (all) throws(RecordError) in
            try recognise(UnsafeBufferPointer(rebasing: all[range]))
        }
        if isKnown { return }
        try places.find(in: bytes.span, range)
        try bytes.withUnsafeBufferPointer { (line) throws(RecordError) in try take(line) }
        isNew = isNew && hasNumbersWhereFound(from: range.lowerBound)
    }

    /// Adds the current line to the known lines, with the number of its flow key.
    mutating func remember(_ number: Int, _ bytes: [UInt8], _ range: Range<Int>) {
        guard isNew else { return }
        var meaning = KnownLines.Meaning(key: number, detail: detail, counters: counters)
        for case let counter? in Self.partCounters { meaning.counters[counter] = 0 }
        bytes.withUnsafeBufferPointer { known.add(meaning, of: parts, UnsafeBufferPointer(rebasing: $0[range])) }
    }

    /// Forgets the known lines, and with them the numbers of their flow keys.
    mutating func forgetLines() { known = KnownLines() }

    /// Splits a line by the known lines; returns false if none has the same texts.
    private mutating func recognise(_ line: UnsafeBufferPointer<UInt8>) throws(RecordError) -> Bool {
        guard known.isAwake(), parts.find(in: line) else { return false }
        guard let meaning = known.meaning(of: parts, line) else {
            isNew = true
            return false
        }
        try takeTimes(start: parts.numbers[0], end: parts.numbers[1])
        known.copy(meaning, &counters, &detail)
        for (index, counter) in Self.partCounters.enumerated() {
            if let counter { counters[counter] = parts.numbers[index] }
        }
        keyNumber = known.key(meaning)
        return true
    }

    /// Whether the line's numbers are the values of the same members in the JSON object.
    private func hasNumbersWhereFound(from start: Int) -> Bool {
        for (index, field) in LineParts.fields.enumerated() {
            let place = parts.places[index]
            guard places[field] == start + place.lowerBound..<start + place.upperBound else { return false }
        }
        return true
    }

    private mutating func take(_ line: UnsafeBufferPointer<UInt8>) throws(RecordError) {
        key.removeAll(keepingCapacity: true)
        for (index, field) in StoreFields.key.enumerated() {
            if index > 0 { key.append(StoreFields.separator) }
            if let place = places[field] {
                key.append(contentsOf: UnsafeBufferPointer(rebasing: line[place]))
            } else {
                key.append(contentsOf: Self.emptyKeys[index])
            }
        }
        // The database does not return text unchanged if it is not UTF-8.
        if !key.allSatisfy({ $0 < 0x80 }) { key = Array(String(decoding: key, as: UTF8.self).utf8) }
        takeDetail(line)
        guard key.count <= StoreFields.maximumTextBytes, detail.count <= StoreFields.maximumTextBytes else {
            throw RecordError(offset: 0, reason: "texts of more than \(StoreFields.maximumTextBytes) bytes")
        }
        try takeTimes(start: number(.startTime, line), end: number(.endTime, line))
        for index in counters.indices { counters[index] = number(StoreFields.counters[index], line) }
    }

    private mutating func takeTimes(start: UInt64, end: UInt64) throws(RecordError) {
        guard end <= BlockID.latest else { throw RecordError(offset: 0, reason: "end_time is no Unix time") }
        (self.start, self.end) = (Int64(min(start, end)), Int64(end))
    }

    private mutating func takeDetail(_ line: UnsafeBufferPointer<UInt8>) {
        detail.removeAll(keepingCapacity: true)
        var hasValue = false
        for (index, field) in StoreFields.detail.enumerated() {
            if index > 0 { detail.append(StoreFields.separator) }
            guard let place = places[field] else { continue }
            let value = UnsafeBufferPointer(rebasing: line[place])
            if value.elementsEqual(Self.emptyDetails[index]) { continue }
            detail.append(contentsOf: value)
            hasValue = true
        }
        if !hasValue { detail.removeAll(keepingCapacity: true) }
    }

    /// Returns an integer; 0 for other values.
    private func number(_ field: FlowField, _ line: UnsafeBufferPointer<UInt8>) -> UInt64 {
        guard let place = places[field] else { return 0 }
        if place.count == 1 { return line[place.lowerBound] == UInt8(ascii: "0") ? 0 : digit(line[place.lowerBound]) }
        var value: UInt64 = 0
        for index in place {
            let byte = line[index]
            guard 0x30...0x39 ~= byte else { return 0 }
            let (product, over) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte &- 0x30))
            // A number that is too large becomes the maximum.
            guard !over, !carry else { return .max }
            value = sum
        }
        return value
    }

    private func digit(_ byte: UInt8) -> UInt64 { 0x30...0x39 ~= byte ? UInt64(byte &- 0x30) : 0 }
}

/// Builds lines from the parts of split records.
package enum RecordJoiner {
    /// The source of a field's value.
    private enum Source {
        case key(Int)
        case detail(Int)
        case counter(Int)
        case start
        case end
    }

    /// A member of a line: its name with quotes and separators, and the source of its value.
    private struct Member {
        let name: [UInt8]
        let empty: [UInt8]
        let isExtension: Bool
        let source: Source

        init(_ field: FlowField) {
            name = Array("\"\(field.description.name)\":".utf8)
            empty = Array(field.description.emptyJSON.utf8)
            isExtension = field.isExtension
            if let place = StoreFields.key.firstIndex(of: field) {
                source = .key(place)
            } else if let place = StoreFields.detail.firstIndex(of: field) {
                source = .detail(place)
            } else if let place = StoreFields.counters.firstIndex(of: field) {
                source = .counter(place)
            } else {
                source = field == .startTime ? .start : .end
            }
        }
    }

    private static let members = FlowField.allCases.map(Member.init)

    /// Returns a line with the fields of the format in order, then Weir's own fields that have a value.
    static func line(key: [UInt8], detail: [UInt8], start: Int64, end: Int64, counters: [UInt64]) -> [UInt8] {
        let keys = key.split(separator: StoreFields.separator, omittingEmptySubsequences: false)
        let details = detail.split(separator: StoreFields.separator, omittingEmptySubsequences: false)
        var line: [UInt8] = []
        line.reserveCapacity(2048)
        for member in members {
            let before = line.count
            line.append(line.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
            line.append(contentsOf: member.name)
            let value = line.count
            switch member.source {
            case .key(let place): line.append(contentsOf: place < keys.count ? keys[place] : member.empty[...])
            case .detail(let place):
                let isKept = place < details.count && !details[place].isEmpty
                line.append(contentsOf: isKept ? details[place] : member.empty[...])
            case .counter(let place): append(counters[place], to: &line)
            case .start: line.append(contentsOf: "\(start)".utf8)
            case .end: line.append(contentsOf: "\(end)".utf8)
            }
            if member.isExtension, line[value...].elementsEqual(member.empty) { line.removeSubrange(before...) }
        }
        line.append(UInt8(ascii: "}"))
        return line
    }

    private static func append(_ number: UInt64, to line: inout [UInt8]) {
        if number < 10 {
            line.append(UInt8(ascii: "0") + UInt8(number))
        } else {
            line.append(contentsOf: "\(number)".utf8)
        }
    }
}
