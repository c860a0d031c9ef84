package import FlowModel

/// Folds records further: to a coarser level, without some of their parts, or over several intervals.
///
/// A folded record is the same as the record that the flow log would make at that level. Every connection is in one record of
/// the finest level, so sums and numbers of connections are exact. Records with equal keys become one, also if an address moved
/// between two objects with the same name. Over several intervals, a connection that continues counts once.
package struct RecordFolder: ~Copyable {
    private let detail: RecordDetail
    private var places: [RecordKey: Int] = [:]
    private var records: [FoldedRecord] = []
    private var endpoints = IdentityTable<Endpoint>()
    private var services = IdentityTable<ServicePort>()
    private var policies = IdentityTable<PolicyTrace>()
    private var intersections = LabelIntersections()
    /// The process names that have records of their own, by the key of the record without processes.
    private var processNames: [RecordKey: [ProcessName]] = [:]
    private var flush = 0

    /// The maximum number of records; at this number, they must be taken out early.
    package static let limit = 32_768

    /// Creates a folder for a detail.
    package init(_ detail: RecordDetail) {
        self.detail = detail
    }

    /// The number of records that ``takeAll(_:)`` would emit now.
    package var count: Int { records.count }

    /// Whether records must be taken out before more are added.
    package var isFull: Bool { records.count >= Self.limit }

    /// Adds a record.
    package mutating func add(_ record: borrowing FlowRecord) {
        var reduced = copy record
        detail.reduce(&reduced)
        var key = key(of: reduced)
        key.processes = processes(of: reduced, under: key)
        if key.processes == .others { reduced.processes?.beOthers() }
        guard let place = places[key] else {
            places[key] = records.count
            records.append(FoldedRecord(reduced, flush: flush))
            firstFlushes.append(flush)
            return
        }
        records[place].add(reduced, flush: flush, isFirstFlush: firstFlushes[place] == flush, &intersections)
    }

    /// The flush of each place's first record.
    private var firstFlushes: [Int] = []

    /// Marks the end of a flush: all of its records were added.
    package mutating func endFlush() {
        flush += 1
    }

    /// Emits and removes all records, in the order in which each first appeared.
    package mutating func takeAll(_ emit: (borrowing FlowRecord) -> Void) {
        guard !records.isEmpty else { return }
        for record in records { emit(record.finished) }
        records.removeAll(keepingCapacity: records.count < 1024)
        firstFlushes.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        processNames.removeAll()
        // Numbers are valid as long as keys contain them.
        endpoints = IdentityTable()
        services = IdentityTable()
        policies = IdentityTable()
        intersections.beginInterval()
    }

    /// Returns the processes part of a record's key; records are divided by process names as the flow log divides groups.
    private mutating func processes(of record: borrowing FlowRecord, under key: RecordKey) -> RecordKey.Processes {
        guard record.processes != nil else { return .unknown }
        guard let name = record.processes?.name else { return .others }
        let names = processNames[key] ?? []
        if names.contains(name) { return .named(name) }
        guard names.count < FlowRecord.processLimit else { return .others }
        processNames[key, default: []].append(name)
        return .named(name)
    }

    private mutating func key(of record: borrowing FlowRecord) -> RecordKey {
        let showsNames = record.level < .podPrefix
        return RecordKey(
            sourceAddress: record.source.address,
            destinationAddress: record.destination.address,
            source: endpoints.acquire(record.source.endpoint, inDetail: showsNames),
            destination: endpoints.acquire(record.destination.endpoint, inDetail: showsNames),
            service: record.service.map { services.acquire($0, inDetail: record.level < .noDestinationPort) }
                ?? RecordKey.none,
            policies: record.policies.map { policies.acquire($0.enforced, inDetail: true) } ?? RecordKey.none,
            sourcePort: record.source.port.map(UInt32.init) ?? RecordKey.none,
            destinationPort: record.destination.port.map(UInt32.init) ?? RecordKey.none,
            proto: record.proto,
            reporter: record.reporter,
            action: record.action,
            level: record.level
        )
    }
}
