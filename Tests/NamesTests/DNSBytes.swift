import FlowModel
import Names

/// Bytes of DNS messages, written by hand as RFC 1035 section 4 has them.
struct DNSBytes {
    var id: UInt16 = 0x1234
    var flags: UInt16 = 0x8180
    var questions: [[UInt8]] = []
    var answers: [[UInt8]] = []
    var authorities: [[UInt8]] = []
    var additions: [[UInt8]] = []

    init(id: UInt16 = 0x1234, flags: UInt16 = 0x8180, questions: [[UInt8]], answers: [[UInt8]] = []) {
        (self.id, self.flags, self.questions, self.answers) = (id, flags, questions, answers)
    }

    var bytes: [UInt8] {
        let sections = [questions, answers, authorities, additions]
        return ([id, flags] + sections.map { UInt16($0.count) }).flatMap(Self.number) + sections.joined().joined()
    }

    static func number(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

    /// A name without pointers.
    static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    static func question(_ text: String, type: UInt16 = 1) -> [UInt8] { name(text) + number(type) + number(1) }

    /// A record; the name as bytes, so that it may be a pointer.
    static func record(_ name: [UInt8], type: UInt16, ttl: UInt32 = 300, data: [UInt8]) -> [UInt8] {
        let seconds = number(UInt16(ttl >> 16)) + number(UInt16(ttl & 0xffff))
        return name + number(type) + number(1) + seconds + number(UInt16(data.count)) + data
    }

    static func query(_ text: String, id: UInt16 = 0x1234, type: UInt16 = 1) -> [UInt8] {
        DNSBytes(id: id, flags: 0x0100, questions: [question(text, type: type)]).bytes
    }

    /// An answer with one IPv4 address.
    static func response(
        _ text: String,
        _ address: [UInt8],
        id: UInt16 = 0x1234,
        ttl: UInt32 = 300,
        flags: UInt16 = 0x8180
    ) -> [UInt8] {
        let record = record([0xc0, 12], type: 1, ttl: ttl, data: address)
        return DNSBytes(id: id, flags: flags, questions: [question(text)], answers: [record]).bytes
    }
}
