import FlowModel

/// An object that records name, with its identity in groups and a number for its version.
protocol RecordName: AnyObject {
    /// The parts of the object that records show; objects with equal identities share groups.
    associatedtype Identity: Hashable

    /// A number that no other object of this type has or had; later objects have larger numbers.
    var id: UInt64 { get }

    /// Returns the object's identity.
    ///
    /// - Parameter inDetail: whether the record shows all of the object.
    /// - Returns: the identity; objects with the same identity are the same in records.
    func identity(inDetail: Bool) -> Identity
}

extension Endpoint: RecordName {
    /// The parts of an endpoint that a record shows.
    struct Identity: Hashable {
        /// The kind of the endpoint.
        let kind: Endpoint.Kind
        /// The namespace, if it is in one.
        let namespace: String?
        /// The name that like endpoints share.
        let aggregatedName: String
        /// The full name, or nil where records do not show it.
        let name: String?
    }

    func identity(inDetail: Bool) -> Identity {
        Identity(kind: kind, namespace: namespace, aggregatedName: aggregatedName, name: inDetail ? name : nil)
    }
}

extension ServicePort: RecordName {
    /// The parts of a service port that a record shows.
    struct Identity: Hashable {
        /// The namespace of the service.
        let namespace: String
        /// The name of the service.
        let name: String
        /// The name of the port, or nil where it has none or records do not show it.
        let portName: String?
        /// The number of the port.
        let port: UInt16
    }

    func identity(inDetail: Bool) -> Identity {
        Identity(namespace: namespace, name: name, portName: inDetail ? portName : nil, port: port)
    }
}

extension PolicyTrace: RecordName {
    /// The hits of the enforced policies; decisions of staged policies change while flows are running.
    func identity(inDetail: Bool) -> [String] { isForwarded ? [FlowReporter.forward.rawValue] + transit : enforced }
}

/// The endpoints, services and policies that groups name, each identity under a small number.
///
/// Objects with the same identity share a number; the table keeps the newest of them. Texts are hashed once per object and
/// interval.
struct IdentityTable<Object: RecordName> {
    private var identities = InternTable<Object.Identity>()
    private var objects: [Object] = []
    /// Numbers, by object id and by whether the identity has all details.
    ///
    /// Entries are valid until a ``release(_:)`` frees a number.
    private var recent = IntegerMap()

    /// The number of identities in use.
    var count: Int { identities.count }

    /// The object under a number in use.
    subscript(number: UInt32) -> Object {
        objects[Int(number)]
    }

    /// Returns the number of an object's identity, which the caller uses until ``release(_:)``.
    ///
    /// - Parameters:
    ///   - object: the object.
    ///   - inDetail: whether the identity includes the fields that only detailed records show.
    /// - Returns: the number; numbers of released identities are reused.
    mutating func acquire(_ object: Object, inDetail: Bool) -> UInt32 {
        let recentKey = object.id << 1 | (inDetail ? 1 : 0)
        if let number = recent.value(recentKey) {
            identities.retain(number)
            return number
        }
        let (number, isNew) = identities.acquire(object.identity(inDetail: inDetail))
        if Int(number) == objects.count {
            objects.append(object)
        } else if isNew || objects[Int(number)].id < object.id {
            objects[Int(number)] = object
        }
        recent.insert(recentKey, number)
        return number
    }

    /// Ends one use of a number; after the last one, its object remains in memory until the number is reused.
    mutating func release(_ number: UInt32) {
        guard identities.release(number) else { return }
        recent.removeAll()
    }

    /// Clears the cache of numbers by object; identities in use stay.
    ///
    /// Must be called once per interval, so that the cache does not grow with removed objects.
    mutating func forgetRecent() {
        recent.removeAll()
    }
}
