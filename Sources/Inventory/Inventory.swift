import ClusterModel
public import FlowModel

/// The endpoints behind addresses as sources report them; the writer, which makes snapshots for readers.
///
/// It applies changes of cluster objects from any number of sources and stores the parts of each object that records
/// need. Its owner serializes access. Flows are resolved against a ``snapshot()``.
///
/// An endpoint that was removed keeps its addresses for another ten seconds, so that its last connections are named
/// (Calico keeps deleted endpoints as long), unless another object claims them. Connections that began after its end are
/// not attributed to it.
public struct Inventory: Sendable {
    /// The time for which a removed endpoint keeps its addresses, in ns.
    static let retention: Int64 = 10_000_000_000

    /// The name of this host: the name of its endpoint and of its Node object.
    public let hostName: String
    /// Whether sources (a cluster, files) are expected to report workloads; if not,
    /// ``InventorySnapshot/mayBecomeKnown(_:)`` is false.
    public var expectsWorkloads = false {
        didSet { if expectsWorkloads != oldValue { edits += 1 } }
    }

    // Objects of the sources.
    var pods = ObjectStore<PodRecord>()
    var nodes = ObjectStore<HostRecord>()
    var hostEndpoints = ObjectStore<HostRecord>()
    var services = ObjectStore<ServiceRecord>()
    var endpointSlices = ObjectStore<BackendRecord>()
    var endpoints = ObjectStore<BackendRecord>()
    var networkSets = ObjectStore<NetworkSetRecord>()
    var globalNetworkSets = ObjectStore<NetworkSetRecord>()
    /// Objects that do not appear in records; only their existence is stored.
    var others: [ObjectKind: ObjectStore<Void>] = [:]

    /// The container names of this host's pods.
    var containers = ContainerNames()

    // Values that objects share.
    var names = InternPool<String>()
    var identities = IdentityTable()

    // Tables for lookups.
    var addresses = AddressBook()
    var host: HostIdentity
    var servicePorts = ServiceBook()
    /// Services by node port and protocol; the address of these places is `::`.
    var nodePorts = ServiceBook()
    /// The number of services by their own addresses.
    var serviceAddresses = ShardedTable<IPAddress, Int>()
    var backends = BackendBook()
    var coverage = ServiceCoverage()
    var networkSetMembers: [UInt64: NetworkSetIndex.Member] = [:]
    var networkSetIndex = NetworkSetIndex()
    var podRanges = PrefixIndex()
    private let privateNetwork = Endpoint(kind: .network, name: "-", aggregatedName: "pvt")
    private let publicNetwork = Endpoint(kind: .network, name: "-", aggregatedName: "pub")

    // State of pending work.
    private var placed: Set<IPAddress> = []
    /// The pods behind this host's interfaces if all of them run on another host by name; nil otherwise.
    private var othersPods: Set<IPAddress>?
    var networkSetsChanged = false
    var podRangesChanged = false
    var edits: UInt64 = 0
    var lastService: UInt64 = 0
    var oversizedObjects = 0
    var expiries = ExpiryQueue()
    var now = Int64.min
    private var generation: UInt64 = 1
    private var publishedEdits: UInt64 = 0

    /// Creates an inventory that contains only the name of a host.
    public init(hostName: String) {
        self.hostName = hostName
        host = HostIdentity(hostName: hostName)
    }

    /// Replaces the addresses of this host.
    public mutating func replaceOwnAddresses(with addresses: Set<IPAddress>) {
        guard addresses != host.addresses else { return }
        for address in host.addresses.subtracting(addresses) { self.addresses.release(host.claim, at: address) }
        for address in addresses.subtracting(host.addresses) { self.addresses.add(host.claim, at: address) }
        host.addresses = addresses
        edits += 1
    }

    /// Replaces the addresses that belong behind this host's interfaces, whichever objects own them.
    ///
    /// They identify the local pods if the host's name does not match its Node. If none of the pods on the node with this
    /// name is behind an interface, but other pods are, then those pods are local.
    public mutating func replacePlacedAddresses(with addresses: Set<IPAddress>) {
        guard addresses != placed else { return }
        placed = addresses
        edits += 1
    }

    /// Whether the pods behind this host's interfaces run on another host by name.
    public var hasOthersPods: Bool { othersPods != nil }

    private func findOthersPods() -> Set<IPAddress>? {
        guard !placed.isEmpty, addresses.localWorkloads.isDisjoint(with: placed) else { return nil }
        let pods = placed.filter { address in addresses.owners.read(address) { $0.kind == .workload } ?? false }
        return pods.isEmpty ? nil : pods
    }

    /// Removes kept claims whose retention has passed.
    ///
    /// - Parameter now: the present time in monotonic nanoseconds, of the same clock as the changes.
    public mutating func expire(at now: Int64) {
        self.now = max(self.now, now)
        while let item = expiries.popFirst(at: self.now) { addresses.expire(item.sequence, at: item.address) }
    }

    /// The time when the next kept claim expires, in monotonic ns; nil if there is none.
    public var nextExpiry: Int64? { expiries.nextDeadline }

    /// An immutable snapshot of the present state.
    ///
    /// The cost depends on the changes since the last snapshot: tables are shared, and prefix indexes are rebuilt only if
    /// network sets or pod ranges have changed.
    public mutating func snapshot() -> InventorySnapshot {
        if networkSetsChanged {
            networkSetIndex = NetworkSetIndex(Array(networkSetMembers.values))
            networkSetsChanged = false
        }
        if podRangesChanged {
            podRanges = makePodRanges()
            podRangesChanged = false
        }
        let edits = edits + addresses.edits + servicePorts.edits + nodePorts.edits + backends.edits
        if edits != publishedEdits {
            publishedEdits = edits
            generation += 1
            othersPods = findOthersPods()
        }
        return InventorySnapshot(
            generation: generation,
            localWorkloads: othersPods ?? addresses.localWorkloads,
            expectsWorkloads: expectsWorkloads,
            owners: addresses.owners,
            claims: addresses.entries,
            endings: addresses.endings,
            containers: containers.names,
            ownAddresses: host.addresses,
            networkSets: networkSetIndex,
            podRanges: podRanges,
            servicePorts: servicePorts.entries,
            nodePorts: nodePorts.entries,
            serviceAddresses: serviceAddresses,
            backends: backends.entries,
            hasUncoveredServices: coverage.uncovered > 0,
            privateNetwork: privateNetwork,
            publicNetwork: publicNetwork
        )
    }
}
