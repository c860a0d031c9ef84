import ClusterModel
import FlowModel

/// The identity of an EndpointSlice or Endpoints object whose backends are recorded.
final class BackendOrigin: Sendable {
    /// The namespace and name of the service.
    let service: ObjectName
    /// The source of the object.
    let source: SourceID

    init(service: ObjectName, source: SourceID) {
        self.service = service
        self.source = source
    }
}

/// The objects that list an address and port as a backend of their services.
///
/// Usually there are one or two, for a service and a headless service of the same pods; these need no heap allocation.
struct BackendEntry: Sendable {
    private var first: BackendOrigin
    private var second: BackendOrigin?
    private var others: [BackendOrigin] = []

    init(_ origin: BackendOrigin) {
        first = origin
    }

    /// All origins, in no particular order.
    var origins: [BackendOrigin] {
        [first] + (second.map { [$0] } ?? []) + others
    }

    mutating func add(_ origin: BackendOrigin) {
        if second == nil {
            second = origin
        } else {
            others.append(origin)
        }
    }

    /// Removes an origin, if it is present.
    ///
    /// - Returns: whether an origin remains.
    mutating func remove(_ origin: BackendOrigin) -> Bool {
        if let index = others.firstIndex(where: { $0 === origin }) {
            others.remove(at: index)
        } else if second === origin {
            second = others.popLast()
        } else if first === origin {
            guard let next = second else { return false }
            first = next
            second = others.popLast()
        }
        return true
    }
}

/// The backends of services.
struct BackendBook: Sendable {
    /// The origins by place; snapshots share this table.
    private(set) var entries = ShardedTable<ServicePlace, BackendEntry>()
    /// A counter that grows with every change.
    private(set) var edits: UInt64 = 0

    /// Adds an origin to a place that it did not list before.
    mutating func add(_ origin: BackendOrigin, at place: ServicePlace) {
        edits += 1
        guard var entry = entries[place] else {
            entries[place] = BackendEntry(origin)
            return
        }
        entry.add(origin)
        entries[place] = entry
    }

    /// Removes an origin of a place.
    mutating func remove(_ origin: BackendOrigin, at place: ServicePlace) {
        guard var entry = entries[place] else { return }
        edits += 1
        entries[place] = entry.remove(origin) ? entry : nil
    }
}
