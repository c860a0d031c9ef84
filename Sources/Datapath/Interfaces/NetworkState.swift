import CWeir
import FlowModel

/// The interfaces and addresses of this host, and the routes to its workloads, kept up to date from rtnetlink.
struct NetworkState: ~Copyable {
    /// Indices of interfaces that were removed since the last ``takeGone()``; an interface that came back since is a new one.
    private var gone: Set<UInt32> = []
    /// Interfaces by index.
    private(set) var links: [UInt32: Link] = [:]
    /// Addresses, each with the interfaces that have it.
    private var owners: [IPAddress: Set<UInt32>] = [:]
    private var socket: NetlinkSocket
    private var routes: WorkloadRoutes

    /// Begins to listen; ``relearn()`` fetches the existing objects.
    init() throws(DatapathError) {
        let socket = try NetlinkSocket()
        let routes = try WorkloadRoutes()
        self.socket = socket
        self.routes = routes
    }

    /// Readable when something changed.
    var descriptor: Int32 { socket.descriptor.number }

    /// This host's own addresses.
    var addresses: Set<IPAddress> { Set(owners.keys) }

    /// The lowest of the host's addresses on an interface; IPv4 before IPv6.
    func address(of index: UInt32) -> IPAddress? {
        owners.filter { $0.value.contains(index) }.keys
            .min { ($0.isIPv4 ? 0 : 1, $0.value) < ($1.isIPv4 ? 0 : 1, $1.value) }
    }

    /// Returns the indices of interfaces that were removed since the last call.
    mutating func takeGone() -> Set<UInt32> {
        defer { gone = [] }
        return gone
    }

    /// Takes in all waiting changes; returns whether any of them matters.
    mutating func update() throws(DatapathError) -> Bool {
        var hasChanged = false
        while true {
            switch try socket.receive(wait: false) {
            case .nothing:
                let haveRoutesChanged = routes.refresh()
                return hasChanged || haveRoutesChanged
            case .overrun:
                try relearn()
                hasChanged = true
            case .events(let events):
                for event in events { hasChanged = apply(event) || hasChanged }
            }
        }
    }

    /// Whether an interface is stacked on another one, however far below.
    func stands(_ upper: UInt32, on lower: UInt32) -> Bool {
        var index = lower
        // Devices can be stacked eight deep.
        for _ in 0..<8 {
            guard let master = links[index]?.master else { return false }
            if master == upper { return true }
            index = master
        }
        return false
    }

    // MARK: Workloads

    /// The addresses of this host's workloads.
    var workloads: Set<IPAddress> { routes.addresses }

    /// Returns the interface through which the host route to a workload leads, if it is the node's end of a pair.
    func device(of workload: IPAddress) -> UInt32? {
        routes.outputs[workload].flatMap { links[$0]?.isPair == true ? $0 : nil }
    }

    /// The ends of pairs through which host routes to workloads lead, each with the lowest of their addresses.
    var workloadDevices: [UInt32: IPAddress] {
        var devices: [UInt32: IPAddress] = [:]
        for (address, index) in routes.outputs where links[index]?.isPair == true {
            devices[index] = devices[index].map { $0.value < address.value ? $0 : address } ?? address
        }
        return devices
    }

    /// Takes the addresses of this host's workloads, and finds the routes to them.
    mutating func replaceWorkloads(with addresses: Set<IPAddress>) {
        routes.replaceAddresses(with: addresses)
        _ = routes.refresh()
    }

    // MARK: Learning

    /// Discards everything and requests it again.
    mutating func relearn() throws(DatapathError) {
        // The request is repeated if a change interrupted the answer, or if events were lost; changes are rare enough for
        // this to end.
        for _ in 0..<16 {
            // Waiting events are older than the answer: they would bring back objects whose removal was missed.
            try discardWaiting()
            links = [:]
            owners = [:]
            routes.everythingMayHaveChanged()
            let areLinksStale = try learn(.links)
            let areAddressesStale = try learn(.addresses)
            if !areLinksStale, !areAddressesStale { return }
        }
    }

    private mutating func discardWaiting() throws(DatapathError) {
        while true {
            if case .nothing = try socket.receive(wait: false) { return }
        }
    }

    /// Sends a request and processes events up to the end of the answer; returns whether it must be repeated.
    private mutating func learn(_ request: NetlinkSocket.Request) throws(DatapathError) -> Bool {
        try socket.send(request)
        var isStale = false
        while true {
            guard case .events(let events) = try socket.receive(wait: true) else {
                // The answer is incomplete; another request before its end would be refused (EBUSY).
                isStale = true
                continue
            }
            for event in events {
                switch event {
                case .done(let changed): return isStale || changed
                case .failed(let errno):
                    throw .system(operation: "list interfaces and addresses", errno: errno, advice: "")
                default: _ = apply(event)
                }
            }
        }
    }

    /// Takes in an event; returns whether it changes interfaces or addresses.
    private mutating func apply(_ event: NetlinkEvent) -> Bool {
        switch event {
        case .link(let link):
            links[link.index] = link
            routes.interfaceChanged(link.index)
        case .linkGone(let index):
            links[index] = nil
            gone.insert(index)
            for address in owners.keys { disown(address, index) }
            routes.interfaceChanged(index)
        case .address(let address, let index): owners[address, default: []].insert(index)
        case .addressGone(let address, let index):
            disown(address, index)
            // Routes with this source address are removed without an event (fib_sync_down_addr).
            routes.everythingMayHaveChanged()
        case .route(let route), .routeGone(let route):
            routes.routeChanged(to: route.destination)
            return false
        case .done, .failed: return false
        }
        return true
    }

    private mutating func disown(_ address: IPAddress, _ index: UInt32) {
        owners[address]?.remove(index)
        if owners[address]?.isEmpty == true { owners[address] = nil }
    }
}
