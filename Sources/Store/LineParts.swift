import FlowModel
import Glibc

/// The parts of a line with the members of the format in order, as Weir writes them.
///
/// Texts are the same in all lines of a flow key; between them there are numbers, which differ from line to line.
///
/// ```
/// {"start_time":N,"end_time":N ‖ ,"source_ip":… ‖ ,"bytes_in":N … ,"packets_out":N ‖ ,"transit_bytes_in":… ‖
///  ,"tcp_mean_send_congestion_window":N … ,"tcp_unrecovered_to":N ‖ }
/// ```
/// Texts are separated from numbers without decoding; they may contain anything. Two lines with equal texts have their members
/// at the same places of the object, because each has a number where the other has one.
struct LineParts {
    /// The places of the three texts in the line.
    private(set) var texts: (first: Range<Int>, second: Range<Int>, third: Range<Int>) = (0..<0, 0..<0, 0..<0)
    /// The numbers of ``fields``; a number that is too large is the maximum.
    private(set) var numbers = [UInt64](repeating: 0, count: LineParts.fields.count)
    /// The places of the numbers.
    private(set) var places = [Range<Int>](repeating: 0..<0, count: LineParts.fields.count)

    /// The maximum size of a line; longer lines are not split.
    static let maximumBytes = 1 << 15
    /// The fields of the numbers, in the order of the line.
    static let fields = times + traffic + sockets
    private static let times: [FlowField] = [.startTime, .endTime]
    private static let traffic: [FlowField] = [
        .bytesIn, .bytesOut, .numFlows, .numFlowsStarted, .numFlowsCompleted, .packetsIn, .packetsOut,
    ]
    private static let sockets: [FlowField] = [
        .tcpMeanSendCongestionWindow, .tcpMinSendCongestionWindow, .tcpMeanSmoothRTT, .tcpMaxSmoothRTT, .tcpMeanMinRTT,
        .tcpMaxMinRTT, .tcpMeanMSS, .tcpMinMSS, .tcpTotalRetransmissions, .tcpLostPackets, .tcpUnrecoveredTO,
    ]
    /// The maximum number of digits of a 64-bit number.
    private static let maximumDigits = 20

    private let trafficStart = MemberSearch(LineParts.traffic[0])
    private let socketsStart = MemberSearch(LineParts.sockets[0])
    /// The names of all members with their quotes, colons and commas, concatenated.
    private let names: [UInt8]
    /// The end of each name.
    private let nameEnds: [Int]

    /// Creates a value without a line.
    init() {
        var (names, ends): ([UInt8], [Int]) = ([], [])
        for (index, field) in Self.fields.enumerated() {
            names += "\(index == 0 ? "{" : ",")\"\(field.description.name)\":".utf8
            ends.append(names.count)
        }
        (self.names, nameEnds) = (names, ends)
    }

    /// Finds the parts of a line; returns false if it does not have them.
    mutating func find(in line: UnsafeBufferPointer<UInt8>) -> Bool {
        guard line.count <= Self.maximumBytes else { return false }
        let (behindTimes, behindTraffic) = (Self.times.count, Self.times.count + Self.traffic.count)
        guard let first = read(0..<behindTimes, line, at: 0),
            let traffic = trafficStart.find(in: line, from: first),
            let second = read(behindTimes..<behindTraffic, line, at: traffic),
            let sockets = socketsStart.find(in: line, from: second),
            let third = read(behindTraffic..<nameEnds.count, line, at: sockets)
        else { return false }
        texts = (first..<traffic, second..<sockets, third..<line.count)
        return true
    }

    /// Reads consecutive members that are numbers; returns the place after the last one.
    private mutating func read(_ members: Range<Int>, _ line: UnsafeBufferPointer<UInt8>, at start: Int) -> Int? {
        names.withUnsafeBufferPointer { names in
            var place = start
            var name = members.lowerBound == 0 ? 0 : nameEnds[members.lowerBound - 1]
            for member in members {
                let length = nameEnds[member] - name
                guard let text = line.baseAddress, let wanted = names.baseAddress, place + length < line.count,
                    memcmp(text + place, wanted + name, length) == 0
                else { return nil }
                place += length
                guard let end = readNumber(member, line, at: place) else { return nil }
                place = end
                name += length
            }
            return place
        }
    }

    /// Reads the digits of a JSON number; returns the place after them.
    @inline(__always)
    private mutating func readNumber(_ member: Int, _ line: UnsafeBufferPointer<UInt8>, at start: Int) -> Int? {
        var (value, end): (UInt64, Int) = (0, start)
        while end < line.count, line[end] &- 0x30 < 10 {
            let (product, over) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(line[end] &- 0x30))
            guard !over, !carry else { return nil }
            value = sum
            end += 1
        }
        // JSON has no leading zeros; a decimal point or an exponent after the digits would make another number.
        guard end > start, end < line.count, end == start + 1 || line[start] != 0x30,
            line[end] == UInt8(ascii: ",") || line[end] == UInt8(ascii: "}")
        else { return nil }
        numbers[member] = value
        places[member] = start..<end
        return end
    }
}

/// Searches a line for the first member with a name: Horspool's algorithm, which reads about one of twelve bytes.
private struct MemberSearch {
    private let member: [UInt8]
    private let steps: [UInt8]

    /// Prepares the search for a field's member.
    init(_ field: FlowField) {
        let member = Array(",\"\(field.description.name)\":".utf8)
        var steps = [UInt8](repeating: UInt8(member.count), count: 256)
        for (index, byte) in member.dropLast().enumerated() { steps[Int(byte)] = UInt8(member.count - 1 - index) }
        (self.member, self.steps) = (member, steps)
    }

    /// Returns the first place at or after a start; nil if there is none.
    func find(in line: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        member.withUnsafeBufferPointer { member in
            steps.withUnsafeBufferPointer { steps in
                guard let text = line.baseAddress, let wanted = member.baseAddress else { return nil }
                let last = member.count - 1
                var place = start + last
                while place < line.count {
                    let byte = text[place]
                    if byte == wanted[last], memcmp(text + (place - last), wanted, last) == 0 { return place - last }
                    place += Int(steps[Int(byte)])
                }
                return nil
            }
        }
    }
}
