import FlowModel
import Records
import Testing

@Suite struct ReadRecordTests {
    private func read(_ text: String) throws -> ReadRecord { try ReadRecord(Array(text.utf8)) }

    @Test func emptyRecordHasEmptyValues() throws {
        let record = try read(recordLine())
        for field in FlowField.allCases { #expect(record.json(field) == field.description.emptyJSON) }
    }

    @Test func readsValuesInAnyMemberOrder() throws {
        let record = try read(
            #"{"num_flows":3,"source_name_aggr":"a\"b","unknown":{"x":[1,2,{"y":"}"}]},"source_ip":"10.0.0.1","# + "\n"
                + #""policies":{"enforced_policies":["0|t|p|deny|-1"],"pending_policies":["0|t|p|allow|0"]},"# + "\t"
                + #""dest_labels":{"labels":["app=web","tier=x"]},"action":"deny","dest_port":null}"#
        )
        #expect(record.integer(.numFlows) == 3)
        #expect(record.text(.sourceNameAggr) == "a\"b")
        #expect(record.address(.sourceIP) == IPAddress("10.0.0.1"))
        #expect(record.enforcedHits == ["0|t|p|deny|-1"])
        #expect(record.pendingAction == .allow)
        #expect(record.isPendingDifferent)
        #expect(record.labels(.destLabels) == ["app=web", "tier=x"])
        #expect(record.isDenied)
        #expect(record.number(.destPort) == nil)
        #expect(record.name(.destNamespace) == nil)
    }

    /// Calico Enterprise joins several reporters; a record is one of a forwarding host only if no end reports it.
    @Test(arguments: [
        ("src", FlowReporter.source), ("dst", .destination), ("fwd", .forward), ("dst,fwd", .destination),
        ("dst, fwd", .destination), ("src,fwd", .source), ("fwd,dst", .destination), ("", .source), ("x", .source),
        (",", .source), ("x,fwd", .forward),
    ])
    func readsJoinedReporters(text: String, expected: FlowReporter) throws {
        let policies =
            #"{"enforced_policies":["0|t|e|allow|0"],"pending_policies":[],"transit_policies":["0|t|f|deny|0"]}"#
        let record = try read(recordLine([.reporter: "\"\(text)\"", .policies: policies]))
        #expect(record.reporter == expected)
        #expect(record.isDestinationReported == (expected == .destination))
        #expect(record.isForwarded == (expected == .forward))
        #expect(record.decidingHits == [expected == .forward ? "0|t|f|deny|0" : "0|t|e|allow|0"])
    }

    @Test func lastOfRepeatedMembersCounts() throws {
        #expect(try read(#"{"num_flows":3,"num_flows":4}"#).integer(.numFlows) == 4)
    }

    @Test(arguments: [
        "", "[]", "null", "{}", "{\"x\":1}", "{\"num_flows\":1", "{\"num_flows\":1}}", "{\"num_flows\":}",
        "{num_flows:1}",
        "{\"num_flows\":01}", "{\"action\":\"\u{1}\"}", String(repeating: "[", count: 100_000),
    ])
    func rejectsInvalidRecordWithOffset(_ text: String) {
        let error = #expect(throws: RecordError.self) { try read(text) }
        #expect((0...text.utf8.count).contains(error?.offset ?? -1))
    }

    @Test func ignoresValuesOfWrongType() throws {
        let record = try read(
            #"{"num_flows":-1,"bytes_in":1e3,"packets_in":99999999999999999999,"action":7,"policies":[1],"dest_labels":"x"}"#
        )
        #expect(record.integer(.numFlows) == 0)
        #expect(record.integer(.bytesIn) == 0)
        #expect(record.integer(.packetsIn) == 0)
        #expect(record.text(.action) == nil)
        #expect(record.enforcedHits.isEmpty)
        #expect(record.labels(.destLabels).isEmpty)
    }

    @Test func rejectsRecordLargerThanOneMebibyte() {
        let text = recordLine([.sourceName: "\"\(String(repeating: "x", count: RecordPlaces.maximumBytes))\""])
        #expect(throws: RecordError.self) { try read(text) }
    }
}
