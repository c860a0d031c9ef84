import FlowModel
import Testing

@testable import Agent

/// The traffic of workloads, for metrics.
struct FlowMeterTests {
    private static let world = Endpoint(kind: .network, name: "-", aggregatedName: "pub")

    private static func pod(_ name: String) -> Endpoint {
        Endpoint(kind: .workload, name: name + "-1", aggregatedName: name + "-*", namespace: "shop", labels: .empty)
    }

    private static func record(
        _ pod: Endpoint,
        called: Bool = false,
        _ action: FlowAction = .allow,
        packets: UInt64 = 1,
        at time: Int64 = 10
    ) -> FlowRecord {
        func end(_ endpoint: Endpoint) -> FlowRecord.End {
            .init(address: nil, port: 80, endpoint: endpoint, labels: nil)
        }
        return FlowRecord(
            startTime: time - 1,
            endTime: time,
            level: .none,
            source: end(called ? world : pod),
            destination: end(called ? pod : world),
            proto: .tcp,
            action: action,
            reporter: called ? .destination : .source,
            inbound: TrafficCounters(packets: 2 * packets, bytes: 200 * packets),
            outbound: TrafficCounters(packets: packets, bytes: 60 * packets),
            flows: FlowCounts(total: packets, started: packets, completed: 0)
        )
    }

    @Test func sumsRecordsByWorkload() throws {
        var meter = FlowMeter(limit: 10)
        let (web, other) = (Self.pod("web"), Self.pod("web"))
        meter.add(Self.record(web))
        meter.add(Self.record(other, called: true, packets: 10))
        meter.add(Self.record(web, .deny, packets: 3))
        meter.add(Self.record(web, called: true, .deny, packets: 5))
        let entry = try #require(meter.entries.last)
        #expect(meter.entries.count == 2)
        #expect((entry.namespace, entry.workload) == ("shop", "web-*"))
        #expect(entry.counts.received == TrafficCounters(packets: 22, bytes: 2_200))
        #expect(entry.counts.sent == TrafficCounters(packets: 11, bytes: 660))
        #expect((entry.counts.opened, entry.counts.accepted) == (1, 10))
        #expect((entry.counts.deniedOut, entry.counts.deniedIn) == (3, 5))
        #expect((entry.counts.deniedPacketsIn, entry.counts.deniedPacketsOut) == (16, 8))
        #expect(meter.entries[0].counts == FlowMeter.Counts())
    }

    /// The number of series is limited, whatever the number of names, and their sum has every packet.
    @Test func boundsSeriesAndKeepsTotal() {
        var meter = FlowMeter(limit: 10)
        for number in 0..<1_000 { meter.add(Self.record(Self.pod("pod-\(number)"), at: 10 + Int64(number) % 60)) }
        #expect(meter.entries.count == 11)
        #expect(meter.entries.reduce(0) { $0 + $1.counts.sent.packets } == 1_000)
        #expect(meter.entries[0].counts.sent.packets == 990)
    }

    /// A new workload replaces one that has been quiet for long enough, and never a busy one.
    @Test func replacesQuietWorkloadWhenFull() throws {
        var meter = FlowMeter(limit: 2)
        let (old, busy, new) = (Self.pod("old"), Self.pod("busy"), Self.pod("new"))
        meter.add(Self.record(old, packets: 7, at: 10))
        meter.add(Self.record(busy, at: 10))
        meter.add(Self.record(new, at: 10 + FlowMeter.quietTime))
        #expect(meter.entries.map(\.workload) == ["*", "old-*", "busy-*"])
        meter.add(Self.record(busy, at: 11 + FlowMeter.quietTime))
        meter.add(Self.record(new, at: 11 + FlowMeter.quietTime))
        #expect(meter.entries.map(\.workload) == ["*", "new-*", "busy-*"])
        #expect(meter.entries.map(\.counts.sent.packets) == [8, 1, 2])
        // There is no room when the old workload returns: its packets count in the series of the others.
        meter.add(Self.record(old, at: 12 + FlowMeter.quietTime))
        #expect(meter.entries.map(\.counts.sent.packets) == [9, 1, 2])
    }
}
