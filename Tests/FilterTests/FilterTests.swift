import FlowModel
import Testing

@testable import Filter

@Suite("filters select records")
struct FilterTests {
    @Test(
        "each operator matches as the grammar defines",
        arguments: [
            ("", true), ("  ", true), ("all()", true), ("!all()", false),
            ("source_namespace == \"shop\"", true), ("source_namespace == 'shop'", true),
            ("source_namespace == \"sho\"", false), ("source_namespace != \"shop\"", false),
            ("dest_namespace == \"-\"", true), ("has(dest_namespace)", false), ("has(source_namespace)", true),
            ("source_name starts with \"frontend-\"", true), ("source_name startswith \"front\"", true),
            ("source_name ends with \"x2x9k\"", true), ("source_name contains \"755\"", true),
            ("source_name contains \"\"", true), ("source_name contains \"756\"", false),
            ("action == \"deny\"", true), ("action in {\"allow\"}", false), ("action not in {\"allow\",}", true),
            ("proto == \"tcp\"", true), ("proto == 6", true), ("proto in {6, 17}", true), ("proto != 6", false),
            ("source_type == \"wep\" && dest_type == \"net\"", true), ("reporter == \"dst\"", false),
            ("dest_port == 443", true), ("dest_port == \"443\"", true), ("dest_port != 443", false),
            ("dest_port < 443", false), ("dest_port <= 443", true), ("dest_port > 442", true),
            ("dest_port >= 444", false), ("dest_port in {80, 443}", true), ("dest_port not in {80,8080}", true),
            ("dest_service_port_num > 8000 && dest_service_port == \"https\"", true),
            ("nat_outgoing_ports == 1030", true), ("nat_outgoing_ports > 1030", false),
            ("bytes_out == 18446744073709551615", true), ("bytes_out > 18446744073709551615", false),
            ("bytes_in < 0", false), ("bytes_in >= 0", true), ("tcp_total_retransmissions == 0", true),
            ("source_ip == \"10.0.0.1\"", true), ("source_ip == \"10.0.0.0/8\"", true),
            ("source_ip in {\"192.168.0.0/16\", \"10.0.0.0/30\"}", true), ("source_ip != \"10.0.0.0/8\"", false),
            ("dest_ip == \"2001:db8::/32\"", true), ("dest_ip == \"0.0.0.0/0\"", false), ("has(dest_ip)", true),
            ("source_labels[\"app\"] == \"frontend\"", true), ("source_labels[\"app\"] in {\"x\", \"frontend\"}", true),
            ("source_labels[\"app\"] != \"frontend\"", false), ("source_labels[\"nope\"] != \"frontend\"", true),
            ("source_labels[\"ap\"] == \"frontend\"", false), ("source_labels[\"app-x\"] == 1", true),
            ("source_labels[\"query\"] == \"a=b\"", true), ("source_name == \"a\"\"b\"", false),
            ("source_name contains ''''", false), ("source_name != \"\"\"\" && all()", true),
            ("source_labels[\"tier\"] == \"\"", true),
            ("has(source_labels[\"tier\"])", true), ("has(source_labels[\"tie\"])", false),
            ("source_labels[\"app\"] starts with \"front\"", true), ("source_labels[\"app\"] ends with \"p\"", false),
            ("source_labels[\"app\"] contains \"app\"", false), ("source_labels contains \"app=front\"", true),
            ("source_labels[\"app.kubernetes.io/name\"] == \"web\"", true), ("has(source_labels)", true),
            ("has(dest_labels)", false), ("dest_labels[\"app\"] == \"x\"", false),
            ("dest_labels[\"app\"] not in {\"x\"}", true),
            ("policies contains \"knp.default.web\"", true), ("enforced_policies contains \"staged\"", false),
            ("pending_policies contains \"staged:\"", true), ("has(policies)", true), ("has(process_args)", false),
            ("has(transit_policies)", false),
            ("drop_reason == \"NETFILTER_DROP\" && dropped_packets_out == 7", true), ("has(dest_domains)", false),
            ("dest_domains == \"example.com\"", false), ("dest_domains != \"example.com\"", true),
            ("namespace == \"shop\"", true), ("namespace != \"shop\"", false), ("namespace == \"bank\"", false),
            ("ip == \"2001:db8::8\"", true), ("port == 41000", true), ("port < 100", false), ("type == \"net\"", true),
            ("labels[\"app\"] == \"frontend\"", true), ("!has(labels[\"nope\"])", true),
            ("dest_port_num == 443 && source_port_num == 41000", true),
            ("all() || !all() && !all()", true), ("(all() || !all()) && !all()", false), ("!!all()", true),
            ("!(dest_port == 443 && action == \"allow\")", true), ("has( source_name )&&has(dest_port)", true),
        ]
    )
    func evaluatesOperators(text: String, expected: Bool) throws {
        #expect(try Filter(text).matches(Sample.record()) == expected)
    }

    @Test(
        "fields that a level folds are absent, and ICMP has no ports",
        arguments: [
            ("source_name == \"-\"", AggregationLevel.podPrefix, IPProtocol.tcp, true),
            ("has(source_name)", .podPrefix, .tcp, false), ("has(source_name)", .sourcePort, .tcp, true),
            ("dest_service_port == \"-\"", .noDestinationPort, .tcp, true),
            ("has(dest_port)", .none, .icmp, false), ("dest_port != 443", .none, .icmp, true),
            ("dest_port == 443", .none, .icmp6, true), ("proto == \"47\"", .none, IPProtocol(rawValue: 47), true),
            ("proto == 47", .none, IPProtocol(rawValue: 47), true),
        ]
    )
    func foldedFieldsAreAbsent(text: String, level: AggregationLevel, proto: IPProtocol, expected: Bool) throws {
        #expect(try Filter(text).matches(Sample.record(level: level, proto: proto)) == expected)
    }

    @Test(
        "policies of host endpoints for forwarded traffic are a list of their own",
        arguments: [
            ("policies contains \"gateway\"", true), ("transit_policies ends with \"|deny|-1\"", true),
            ("transit_policies contains \"knp\"", false), ("has(transit_policies) && has(policies)", true),
            ("has(enforced_policies) || has(pending_policies)", false),
        ]
    )
    func findsTransitPolicies(text: String, expected: Bool) throws {
        let trace = PolicyTrace(action: .deny, transit: ["0|default|default.gateway|deny|-1"])
        var record = Sample.record()
        record.policies = .init(enforced: trace, pending: trace)
        #expect(try Filter(text).matches(record) == expected)
    }

    @Test("equivalent filters are equal, and keep their text")
    func equivalentFiltersAreEqual() throws {
        let filter = try Filter("proto in {17,6} && !(dest_port != 443)")
        #expect(try filter == Filter("( proto in { 'tcp' , \"udp\" } ) && dest_port == 443"))
        #expect(try filter != Filter("proto == 6 && dest_port == 443"))
        #expect("\(filter)" == "proto in {17,6} && !(dest_port != 443)")
    }

    @Test("aliases of both ends and negations are resolved in the tree")
    func resolvesAliasesAndNegations() throws {
        #expect(
            try Filter("namespace != 'a'").expression
                == .not(
                    .or([
                        .test(.field(.sourceNamespace), .equals(["a"])), .test(.field(.destNamespace), .equals(["a"])),
                    ])
                )
        )
        #expect(
            try Filter("bytes_in > 5 && has(source_labels['k'])").expression
                == .and([
                    .test(.field(.bytesIn), .numbers([6...UInt64.max])),
                    .test(.label(.sourceLabels, key: "k"), .present),
                ])
        )
    }

    @Test(
        "texts are compared byte by byte: another normal form is another text",
        arguments: [
            ("source_name == \"caf\u{e9}\"", true), ("source_name == \"cafe\u{301}\"", false),
            ("source_name in {\"x\", \"cafe\u{301}\", \"a\"}", false),
            ("source_name in {\"cafe\u{301}\", \"caf\u{e9}\"}", true),
            ("source_name in {\"z\", \"caf\u{e9}\", \"b\", \"cafe\"}", true),
            ("source_name starts with \"cafe\"", false), ("source_name ends with \"\u{e9}\"", true),
            ("source_name contains \"f\u{e9}\"", true), ("source_name contains \"\u{e9}x\"", false),
            ("source_labels[\"k\"] == \"\u{e9}\"", true), ("source_labels[\"k\"] == \"e\u{301}\"", false),
        ]
    )
    func comparesTextsByteByByte(text: String, expected: Bool) throws {
        var record = Sample.record()
        record.source.endpoint = Endpoint(kind: .workload, name: "caf\u{e9}", aggregatedName: "c-*")
        record.source.labels = LabelSet(sorted: ["k=\u{e9}"])
        #expect(try Filter(text).matches(record) == expected)
    }

    @Test("filters for texts in other normal forms differ")
    func filtersInOtherNormalFormsDiffer() throws {
        let (one, other) = (try Filter("source_name == 'caf\u{e9}'"), try Filter("source_name == 'cafe\u{301}'"))
        #expect(one != other)
        #expect(try one == Filter("source_name  ==  \"caf\u{e9}\""))
        let both = try Filter("source_name in {'caf\u{e9}', 'cafe\u{301}'}")
        guard case .test(_, .equals(let texts)) = both.expression else {
            Issue.record("a list is one test")
            return
        }
        #expect(texts.count == 2)
    }

    @Test("a list of many texts matches each of them, and no other")
    func longListMatchesOnlyItsTexts() throws {
        let names = (0..<500).map { "n\($0 * 2)" }
        let filter = try Filter("source_name in {\(names.map { "'\($0)'" }.joined(separator: ","))}")
        var record = Sample.record()
        for number in 0..<1_000 {
            record.source.endpoint = Endpoint(kind: .workload, name: "n\(number)", aggregatedName: "n-*")
            #expect(filter.matches(record) == (number % 2 == 0))
        }
    }
}
