import Filter
import FlowModel
import Testing

@testable import Query

/// Filters and groups as ClickHouse's SQL.
@Suite struct ClickHouseTextTests {
    @Test(arguments: [
        // As in other stores, a list is known if an element is: the arguments of no known process are `-`.
        ("has(process_args)", "arrayExists(x -> toString(x) NOT IN ('-'), ARGUMENTS)"),
        ("process_args == '-'", "arrayExists(x -> toString(x) IN ('-'), ARGUMENTS)"),
        ("has(dest_domains)", "arrayExists(x -> toString(x) NOT IN ('-'), r.dest_domains)"),
        ("has(nat_outgoing_ports)", "arrayExists(x -> toString(x) NOT IN ('-'), r.nat_outgoing_ports)"),
        ("has(original_source_ips)", "notEmpty(r.original_source_ips)"),
        (
            "reporter == 'dst'",
            "arrayExists(x -> toString(x) IN ('dst'), splitByChar(',', replaceAll(toString(r.reporter), ' ', '')))"
        ),
        ("dropped_packets_in != 0", "NOT ifNull(((r.dropped_packets_in >= 0 AND r.dropped_packets_in <= 0)), 0)"),
        ("connect_time_us < 1000", "ifNull(((r.connect_time_us >= 0 AND r.connect_time_us <= 999)), 0)"),
    ])
    func filterIsTranslated(text: String, expected: String) throws {
        let condition = ClickHouseText.condition(since: 1, until: 2, try Filter(text))
        let range = "r.end_time > toDateTime(1, 'UTC') AND r.end_time <= toDateTime(2, 'UTC')"
        let arguments = "if(empty(r.process_args), ['-'], r.process_args)"
        #expect(condition == "\(range) AND \(expected.replacing("ARGUMENTS", with: arguments))")
    }

    /// The value of a list is its JSON, in the form of other stores.
    @Test func groupsByLists() throws {
        let name = try #require(GroupName("dest_domains"))
        #expect(
            ClickHouseText.value(name) == "if(empty(r.dest_domains), '\\0', toJSONString(r.dest_domains))"
        )
        #expect(ClickHouseText.read(#"["a\/b","c"]"#, name) == #"["a/b","c"]"#)
        #expect(ClickHouseText.read(ClickHouseText.null, name) == nil)
        #expect(ClickHouseText.read("[\"a\"]", .field(.sourceName)) == "[\"a\"]")
    }
}
