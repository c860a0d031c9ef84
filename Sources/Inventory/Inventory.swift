import ClusterModel
public import FlowModel

/// The endpoints behind addresses, as far as sources have them: the writer, which makes snapshots for readers.
///
/// It takes changes of cluster objects from any number of sources and keeps the parts of each object that records need.
/// Its owner serializes access. Flows are resolved against ``snapshot()``.
///
/// An endpoint that is gone answers for another ten seconds, so that its last connections are named (Calico keeps
/// deleted endpoints as long), unless another object claims its address. Connections that began after its end are not
/// its own.
public struct Inventory: Sendable {
    /// The time for which an endpoint that is gone still answers, ns.
    static let retention: Int64 = 10_000_000_000

    /// The name of this host: of its endpoint, and of its Node object.
    public let hostName: String
    /// Whether sources (a cluster, files) are expected to have workloads; if not, no address may become known.
    public var expectsWorkloads = false {
        didSet { if expectsWorkloads != oldValue { edits += 1 } }
    }

    // The objects of the sources.
    var pods = ObjectStore<PodRecord>()
    var nodes = ObjectStore<HostRecord>()
    var hostEndpoints = ObjectStore<HostRecord>()
    var services = ObjectStore<ServiceRecord>()
    var endpointSlices = ObjectStore<BackendRecord>()
    var endpoints = ObjectStore<BackendRecord>()
    var networkSets = ObjectStore<NetworkSetRecord>()
    var globalNetworkSets = ObjectStore<NetworkSetRecord>()
    /// Objects that no record shows: only that they exist.
    var others: [ObjectKind: ObjectStore<Void>] = [:]

    /// Names of containers of this host's pods.
    var containers = ContainerNames()

    // What they share.
    var names = InternPool<String>()
    var identities = IdentityTable()

    // What answers.
    var addresses = AddressBook()
    var host: HostIdentity
    var servicePorts = ServiceBook()
    /// By port and protocol; the address of these places is `::`.
    var nodePorts = ServiceBook()
    /// The number of services that are called at an address.
    var serviceAddresses = ShardedTable<IPAddress, Int>()
    var backends = BackendBook()
    var coverage = ServiceCoverage()
    var networkSetMembers: [UInt64: NetworkSetIndex.Member] = [:]
    var networkSetIndex = NetworkSetIndex()
    var podRanges = PrefixIndex()
    private let privateNetwork = Endpoint(kind: .network, name: "-", aggregatedName: "pvt")
    private let publicNetwork = Endpoint(kind: .network, name: "-", aggregatedName: "pub")

    // What is to be done.
    private var placed: Set<IPAddress> = []
    /// The pods behind this host's interfaces, if by name they all run on another host; nil if the names are right.
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

    /// Makes an inventory with the name of a host, and nothing else.
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

    /// Takes in which addresses belong behind this host's interfaces, whichever object has them.
    ///
    /// They show the local pods where the host's name does not: if none of the pods that run on a node of this name is
    /// behind an interface, and others are, those are this host's.
    public mutating func replacePlacedAddresses(with addresses: Set<IPAddress>) {
        guard addresses != placed else { return }
        placed = addresses
        edits += 1
    }

    /// Whether all pods behind this host's interfaces run on another host by name.
    public var hasOthersPods: Bool { othersPods != nil }

    private func findOthersPods() -> Set<IPAddress>? {
        guard !placed.isEmpty, addresses.localWorkloads.isDisjoint(with: placed) else { return nil }
        let pods = placed.filter { address in addresses.owners.read(address) { $0.kind == .workload } ?? false }
        return pods.isEmpty ? nil : pods
    }

    /// Removes endpoints that are gone and whose time is over.
    ///
    /// - Parameter now: monotonic nanoseconds, of the clock of the changes.
    public mutating func expire(at now: Int64) {
        self.now = max(self.now, now)
        while let item = expiries.popFirst(at: self.now) { addresses.expire(item.sequence, at: item.address) }
    }

    /// The time when the next item expires, monotonic ns; nil if there is none.
    public var nextExpiry: Int64? { expiries.nextDeadline }

    /// An immutable snapshot of the present state.
    ///
    /// Costs by what changed since the last one: tables are shared, and indexes of prefixes are made anew only if network
    /// sets or the nodes' ranges have changed.
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
