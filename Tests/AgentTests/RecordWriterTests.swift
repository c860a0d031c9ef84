import Encoding
import Export
import Filter
import FlowModel
import Foundation
import Lab
import Testing

@testable import Agent

/// Records for a reader that is absent: an endpoint with many records displaces its own.
struct RecordWriterTests {
    private static func pod(_ name: String) -> Endpoint {
        Endpoint(kind: .workload, name: name, aggregatedName: name, namespace: "shop", labels: .empty)
    }

    private static let world = Endpoint(kind: .network, name: "-", aggregatedName: "pub")

    private static func record(from source: Endpoint, to destination: Endpoint, _ port: UInt16) -> FlowRecord {
        FlowRecord(
            startTime: 1,
            endTime: 2,
            level: .none,
            source: .init(address: nil, port: port, endpoint: source, labels: source.labels),
            destination: .init(address: nil, port: 80, endpoint: destination, labels: destination.labels),
            proto: .tcp,
            action: .allow,
            reporter: source.kind == .workload ? .source : .destination,
            inbound: .zero,
            outbound: TrafficCounters(packets: 1, bytes: 60),
            flows: FlowCounts(total: 1, started: 1, completed: 1)
        )
    }

    @Test(arguments: [true, false])
    func busyEndpointDoesNotDisplaceRecordsOfOthers(_ bulkBegan: Bool) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("socket")
        // Three flushes of 6 MB; room for one of them in twenty.
        let output = try Output(.unix(path: path), queueLimit: 1 << 20, logger: LogRecorder().logger)
        let writer = RecordWriter(
            [(output, RecordSelection())],
            patience: .zero,
            plan: StopPlan(StopSource()),
            extendedFields: false,
            limits: RecordLimits()
        )
        let bulk = Self.pod("bulk")
        let others = (0..<20).map { Self.pod("other-\($0)") }
        for _ in 0..<3 {
            writer.beginFlush()
            for number in 0..<5_000 as Range<UInt16> {
                let record =
                    bulkBegan
                    ? Self.record(from: bulk, to: Self.world, number) : Self.record(from: Self.world, to: bulk, number)
                writer.write(record)
                guard number % 1_000 == 0 else { continue }
                for other in others { writer.write(Self.record(from: other, to: bulk, number)) }
            }
            writer.endFlush()
        }
        let drops = output.statistics.drops
        #expect(drops.queueFull > 14_000 && drops.total == drops.queueFull)

        let listener = try RecordListener(path)
        let reading = try listener.readOne()
        let statistics = output.finish(within: .seconds(30))
        let lines = try reading.value().split(separator: "\n")
        #expect(lines.count == statistics.delivered)
        #expect(statistics.delivered + statistics.dropped == 3 * (5_000 + 5 * 20))
        for other in others {
            let own = lines.filter { $0.contains("\"source_name\":\"\(other.name)\"") }
            #expect(own.count == 15, "\(other.name)")
        }
        #expect(lines.contains { $0.contains("_name\":\"bulk\"") })
    }

    @Test func shortensLongLabelsAndNamesEndpoint() throws {
        let folder = try TemporaryFolder()
        let output = try Output(.file(path: folder.file("records")), logger: LogRecorder().logger)
        let writer = RecordWriter(
            [(output, RecordSelection())],
            patience: .zero,
            plan: StopPlan(StopSource()),
            extendedFields: false,
            limits: RecordLimits(labelBytes: 100)
        )
        let endpoint = Endpoint(
            kind: .workload,
            name: "web-1",
            aggregatedName: "web-*",
            namespace: "shop",
            labels: LabelSet(sorted: (100..<300).map { "label-\($0)=x" })
        )
        writer.beginFlush()
        writer.write(Self.record(from: endpoint, to: Self.world, 1))
        writer.endFlush()
        #expect(writer.shortened.labelSets == 1)
        #expect(writer.shortenedEndpoint == "shop/web-1")
        #expect(output.finish(within: .seconds(30)).delivered == 1)
        #expect(folder.text("records").contains("\"label-106=x\",\"_weir_omitted_labels=193\"]}"))
    }

    /// Each output gets the records that pass its filter, in order, and counts the rest; an endpoint is charged once.
    @Test func outputsReceiveRecordsThatPassTheirFilters() throws {
        let folder = try TemporaryFolder()
        let selections = try [
            RecordSelection(), RecordSelection(keep: Filter("source_port < 10")),
            RecordSelection(keep: Filter("source_port < 10"), drop: Filter("source_port == 3")),
            RecordSelection(keep: Filter("source_port<10")),
        ]
        let outputs = try selections.indices.map {
            try Output(.file(path: folder.file("records-\($0)")), logger: LogRecorder().logger)
        }
        let writer = RecordWriter(
            zip(outputs, selections).map { ($0, $1) },
            patience: .zero,
            plan: StopPlan(StopSource()),
            extendedFields: false,
            limits: RecordLimits()
        )
        let pod = Self.pod("web")
        writer.beginFlush()
        for port in 0..<100 as Range<UInt16> { writer.write(Self.record(from: pod, to: Self.world, port)) }
        writer.endFlush()
        let expected = [Array(0..<100), Array(0..<10), [0, 1, 2, 4, 5, 6, 7, 8, 9], Array(0..<10)]
        for (index, output) in outputs.enumerated() {
            let statistics = output.finish(within: .seconds(30))
            #expect(statistics.delivered == expected[index].count)
            #expect(statistics.passedOver == 100 - expected[index].count)
            let ports = folder.lines("records-\(index)").compactMap { line in
                line.components(separatedBy: "\"source_port\":").last.flatMap { Int($0.prefix { $0.isNumber }) }
            }
            #expect(ports == expected[index])
        }
    }
}
