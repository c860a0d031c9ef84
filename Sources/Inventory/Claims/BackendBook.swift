import ClusterModel
import FlowModel

/// An EndpointSlice or Endpoints object, as the origin of backends.
final class BackendOrigin: Sendable {
    /// The service's namespace and name.
    let service: ObjectName
    /// Its source.
    let source: SourceID

    init(service: ObjectName, source: SourceID) {
        self.service = service
        self.source = source
    }
}

/// The objects that make an address and port a backend of services.
///
/// One or two as a rule, a service and a headless one of the same pods: these need no memory of their own.
struct BackendEntry: Sendable {
    private var first: BackendOrigin
    private var second: BackendOrigin?
    private var others: [BackendOrigin] = []

    init(_ origin: BackendOrigin) {
        first = origin
    }

    /// All of them, in no order.
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

    /// Takes one out, if it is there.
    ///
    /// - Returns: whether there is another one left.
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
    /// The origins, by place: what snapshots share.
    private(set) var entries = ShardedTable<ServicePlace, BackendEntry>()
    /// Grows with every change.
    private(set) var edits: UInt64 = 0

    /// Adds an origin of a place that had not named it before.
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
