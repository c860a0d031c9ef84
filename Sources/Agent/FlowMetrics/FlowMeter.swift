import FlowModel
import Server

/// Adds up records by the workload that reports them, for metrics: a limited number of workloads, and all others together.
///
/// A workload is a namespace and the name that similar endpoints share. If there is no free place, a new workload gets the
/// place of the one that has been idle longest, if that time was long enough; the counts of that one are added to the others.
/// So the sum over all series only grows, and equals that of all records of ends.
struct FlowMeter {
    /// The traffic and connections of a workload.
    struct Counts: Sendable, Equatable {
        /// Traffic to and from the workload.
        var received = TrafficCounters.zero
        var sent = TrafficCounters.zero
        /// Connections that others initiated, and connections that the workload initiated.
        var accepted: UInt64 = 0
        var opened: UInt64 = 0
        /// Denied connections in each direction, and their packets.
        var deniedIn: UInt64 = 0
        var deniedOut: UInt64 = 0
        var deniedPacketsIn: UInt64 = 0
        var deniedPacketsOut: UInt64 = 0

        static func += (left: inout Counts, right: Counts) {
            left.received += right.received
            left.sent += right.sent
            left.accepted += right.accepted
            left.opened += right.opened
            left.deniedIn += right.deniedIn
            left.deniedOut += right.deniedOut
            left.deniedPacketsIn += right.deniedPacketsIn
            left.deniedPacketsOut += right.deniedPacketsOut
        }

        init() {}

        fileprivate init(_ record: borrowing FlowRecord) {
            let isSource = record.reporter == .source
            switch record.action {
            case .allow:
                (received, sent) = (record.inbound, record.outbound)
                if isSource { opened = record.flows.started } else { accepted = record.flows.started }
            case .deny:
                if isSource { deniedOut = record.flows.started } else { deniedIn = record.flows.started }
                (deniedPacketsIn, deniedPacketsOut) = (record.inbound.packets, record.outbound.packets)
            }
        }
    }

    /// A workload and its counts.
    struct Entry: Sendable, Equatable {
        let namespace: String
        let workload: String
        /// The namespace and the workload as labels.
        let labels: MetricLabels
        var counts = Counts()
        /// The end of the last record with traffic, Unix seconds.
        fileprivate(set) var usedAt: Int64

        fileprivate init(_ name: Name, usedAt: Int64) {
            namespace = name.namespace
            workload = name.workload
            labels = MetricLabels(["namespace": name.namespace, "workload": name.workload])
            self.usedAt = usedAt
        }
    }

    fileprivate struct Name: Hashable {
        let namespace: String
        let workload: String
    }

    /// The time without traffic after which a workload loses its place, s.
    static let quietTime: Int64 = 600
    /// The name of all workloads without a place; no object of a cluster has this name.
    static let others = "*"

    /// The workloads; the first entry is for all others.
    private(set) var entries = [Entry(Name(namespace: FlowMeter.others, workload: FlowMeter.others), usedAt: 0)]
    private let limit: Int
    private var places: [Name: Int] = [:]
    /// Places by the number of an endpoint, so that a record needs no lookup of names.
    private var known: [UInt64: Int] = [:]
    /// The time before which no workload can have been idle long enough, s.
    private var nextVacancy = Int64.min

    /// Creates a meter with room for `limit` workloads, 1 or more.
    init(limit: Int) {
        self.limit = limit
    }

    /// Adds a record.
    mutating func add(_ record: borrowing FlowRecord) {
        // Forwarded traffic is counted at its ends, where they are local.
        guard record.reporter != .forward else { return }
        let place =
            record.reporter == .source
            ? place(of: record.source.endpoint, at: record.endTime)
            : place(of: record.destination.endpoint, at: record.endTime)
        entries[place].counts += Counts(record)
        if !record.isIdle { entries[place].usedAt = record.endTime }
    }

    private mutating func place(of endpoint: Endpoint, at time: Int64) -> Int {
        if let place = known[endpoint.id] { return place }
        let name = Name(namespace: endpoint.namespace ?? "-", workload: endpoint.aggregatedName)
        let place = places[name] ?? makePlace(name, at: time)
        // Most of these are numbers of endpoints that no longer exist.
        if known.count >= 4 * limit { known = [:] }
        // A workload without a place may get one later.
        if place > 0 { known[endpoint.id] = place }
        return place
    }

    private mutating func makePlace(_ name: Name, at time: Int64) -> Int {
        let entry = Entry(name, usedAt: time)
        if entries.count <= limit {
            entries.append(entry)
            places[name] = entries.count - 1
            return entries.count - 1
        }
        guard time > nextVacancy,
            let quietest = entries.indices.dropFirst().min(by: { entries[$0].usedAt < entries[$1].usedAt })
        else { return 0 }
        nextVacancy = entries[quietest].usedAt + Self.quietTime
        guard time > nextVacancy else { return 0 }
        nextVacancy = .min
        let former = entries[quietest]
        entries[0].counts += former.counts
        places[Name(namespace: former.namespace, workload: former.workload)] = nil
        known = known.filter { $0.value != quietest }
        entries[quietest] = entry
        places[name] = quietest
        return quietest
    }
}
