import FlowModel
import Testing

@testable import FlowLog

/// Labels of records: those that all endpoints had during the whole interval.
@Suite struct RecordLabelTests {
    private typealias Fixture = AggregatorFixture

    private static func pod(_ name: String, _ labels: [String]?, replacing earlier: Endpoint? = nil) -> Endpoint {
        Endpoint(
            replacing: earlier,
            kind: .workload,
            name: name,
            aggregatedName: "web-*",
            namespace: "shop",
            labels: labels.map(LabelSet.init(sorted:))
        )
    }

    private static func address(_ last: Int) -> IPAddress {
        IPAddress(10, 1, 0, UInt8(last))
    }

    /// Pods that call the host, all of one group at level 2.
    private static func fixture(_ labels: [[String]?]) -> Fixture {
        var fixture = Fixture(level: .podPrefix)
        fixture.learn { resolver in
            for (number, labels) in labels.enumerated() {
                resolver.owners[address(number)] = pod("web-\(number)", labels)
            }
        }
        for number in labels.indices {
            fixture.births(Fixture.birth(UInt32(number), near: address(number), role: .workload))
        }
        return fixture
    }

    @Test(
        arguments: [
            ([["a=1", "b=1"]], ["a=1", "b=1"]),
            ([["a=1", "b=1"], ["a=1", "b=2"]], ["a=1"]),
            ([["a=1"], ["b=2"]], []),
            ([["a=1"], ["b=2"], ["a=1"]], []),
            ([[]], []),
            ([nil], nil),
            // Unknown labels do not reduce the known ones.
            ([["a=1"], nil], ["a=1"]),
            ([nil, ["a=1"], nil], ["a=1"]),
        ] as [([[String]?], [String]?)]
    )
    func recordHasCommonLabelsOfItsEndpoints(labels: [[String]?], common: [String]?) {
        var fixture = Self.fixture(labels)
        let records = fixture.flush()
        #expect(records.map(\.source.labels?.labels) == [common])
        #expect(records.map(\.destination.labels?.labels) == [nil])
    }

    @Test func networkHasNoLabels() {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0))
        #expect(fixture.flush().map { $0.source.labels == nil } == [true])
    }

    /// A flow that ended counts until its interval ends.
    @Test func endedFlowCountsUntilIntervalEnds() {
        var fixture = Self.fixture([["a=1", "b=1"], ["a=1", "b=2"]])
        fixture.ends(1)
        #expect(fixture.flush().map(\.source.labels?.labels) == [["a=1"]])
        #expect(fixture.flush().map(\.source.labels?.labels) == [["a=1", "b=1"]])
    }

    @Test(arguments: [AggregationLevel.none, .podPrefix])
    func changedLabelsAppearInNextInterval(level: AggregationLevel) {
        var fixture = Fixture(level: level)
        let old = Self.pod("web-0", ["a=1", "b=1"])
        fixture.learn { $0.owners[Fixture.workload] = old }
        fixture.births(Fixture.birth(0, near: Fixture.workload, role: .workload))
        #expect(fixture.flush().map(\.source.labels?.labels) == [["a=1", "b=1"]])
        fixture.learn { $0.owners[Fixture.workload] = Self.pod("web-0", ["b=1", "c=1"], replacing: old) }
        #expect(fixture.flush().map(\.source.labels?.labels) == [["b=1"]])
        #expect(fixture.flush().map(\.source.labels?.labels) == [["b=1", "c=1"]])
    }

    /// Versions that exist only within an interval count for the flows that begin under them.
    @Test func intersectsLabelsOfAllVersions() {
        var fixture = Fixture()
        let first = Self.pod("web-0", ["a=1", "b=1"])
        let second = Self.pod("web-0", ["a=1"], replacing: first)
        for (number, version) in [first, second, first].enumerated() {
            fixture.learn { $0.owners[Fixture.workload] = version }
            let port = UInt16(40000 + number)
            fixture.births(
                Fixture.birth(UInt32(number), near: Fixture.workload, nearPort: port, role: .workload)
            )
        }
        #expect(fixture.flush().map(\.source.labels?.labels) == [["a=1"], ["a=1"], ["a=1"]])
        #expect(fixture.flush().map(\.source.labels?.labels) == Array(repeating: ["a=1", "b=1"], count: 3))
    }

    /// The next owner of an address has nothing to do with the connections of the one before.
    @Test func ignoresLabelsOfNextOwner() {
        var fixture = Self.fixture([["a=1"]])
        fixture.learn { $0.owners[Self.address(0)] = Self.pod("web-9", ["b=1"]) }
        #expect(fixture.flush().map(\.source.labels?.labels) == [["a=1"]])
        #expect(fixture.flush().map(\.source.labels?.labels) == [["a=1"]])
    }

    /// Encoders cache rendered labels by object.
    @Test func unchangedLabelsAreTheSameObject() throws {
        var fixture = Self.fixture([["a=1", "b=1"], ["a=1", "b=2"], ["a=1", "b=3"]])
        let first = try #require(fixture.flush().first?.source.labels)
        for _ in 0..<3 {
            fixture.learn { _ in }
            #expect(fixture.flush().first?.source.labels === first)
        }
    }
}
