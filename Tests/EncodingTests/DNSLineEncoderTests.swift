import Encoding
import FlowModel
import Foundation
import Testing

@Suite("Lines of the DNS log")
struct DNSLineEncoderTests {
    private static func line(_ record: DNSRecord) -> String {
        var buffer = ByteBuffer()
        DNSLineEncoder().encode(record, into: &buffer)
        return String(decoding: buffer.take(), as: UTF8.self)
    }

    private static func record(detail: DNSRecord.Detail) -> DNSRecord {
        var latency = DNSRecord.Latency()
        for time in [1000, 2001] as [UInt64] { latency.add(time) }
        return DNSRecord(
            startTime: 1_700_000_000,
            endTime: 1_700_000_300,
            count: 2,
            detail: detail,
            clientAddress: IPAddress(10, 0, 0, 1),
            client: Sample.pod,
            name: "www.example.com",
            type: "A",
            recordClass: "IN",
            responseCode: "NoError",
            sets: [
                .init(name: "cdn.example", type: "A", recordClass: "IN", data: ["192.0.2.1", "192.0.2.2"]),
                .init(name: "www.example.com", type: "CNAME", recordClass: "IN", data: ["cdn.example"]),
            ],
            servers: [.init(address: IPAddress(8, 8, 8, 8), endpoint: Sample.world)],
            latency: latency
        )
    }

    /// The line has the keys of the format in their order.
    @Test func writesAllFieldsInOrder() {
        let line = Self.line(Self.record(detail: .client))
        let expected =
            #"{"start_time":1700000000,"end_time":1700000300,"type":"LOG","count":2,"client_ip":"10.0.0.1","#
            + #""client_name":"frontend-755cdc7957-x2x9k","client_name_aggr":"frontend-755cdc7957-*","#
            + #""client_namespace":"shop","client_labels":{"labels":["app=frontend","query=a=b"]},"#
            + #""qname":"www.example.com","qtype":"A","qclass":"IN","rcode":"NoError","rrsets":["#
            + #"{"name":"cdn.example","type":"A","class":"IN","rdata":["192.0.2.1","192.0.2.2"]},"#
            + #"{"name":"www.example.com","type":"CNAME","class":"IN","rdata":["cdn.example"]}],"#
            + #""servers":[{"ip":"8.8.8.8","name":"-","name_aggr":"pub","namespace":"-","labels":null}],"#
            + #""latency_count":2,"latency_mean":1500,"latency_max":2001}"# + "\n"
        #expect(line == expected)
    }

    @Test func foldsClientsByAggregatedName() {
        let line = Self.line(Self.record(detail: .clientPrefix))
        #expect(line.contains(#""client_ip":null,"client_name":"-","client_name_aggr":"frontend-755cdc7957-*","#))
    }

    @Test func unloggedRecordHasCountAndAllFields() throws {
        let line = Self.line(DNSRecord(startTime: 1, endTime: 2, isLogged: false, count: 7, client: nil))
        #expect(
            line.hasPrefix(
                #"{"start_time":1,"end_time":2,"type":"UNLOGGED","count":7,"client_ip":null,"client_name":"-","#
            )
        )
        let parsed = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        #expect(parsed?.count == 18)
    }

    /// The line is valid JSON of bounded length for any response of a server.
    @Test func boundsLineLengthOfHostileResponses() throws {
        var record = Self.record(detail: .client)
        let long = String(repeating: "\u{1}\"é", count: 2000)
        record.name = long
        record.sets = (0..<200).map { number in
            .init(name: "\(number)\(long)", type: "TXT", recordClass: "IN", data: Array(repeating: long, count: 50))
        }
        let line = Self.line(record)
        #expect(line.utf8.count <= DNSLineEncoder.maximumLineBytes)
        let parsed = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        #expect(parsed?.count == 18 && (parsed?["qname"] as? String)?.hasSuffix("…") == true)
        #expect((parsed?["rrsets"] as? [Any])?.isEmpty == false)
    }
}
