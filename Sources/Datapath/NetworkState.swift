import CWeir
import FlowModel

/// The interfaces and addresses of this host, kept up to date from rtnetlink.
struct NetworkState: ~Copyable {
    /// Indices that went since the last ``takeGone()``; an interface that came back since is a new one.
    private var gone: Set<UInt32> = []
    /// Interfaces by index.
    private(set) var links: [UInt32: Link] = [:]
    /// Addresses, each with the interfaces that have it.
    private var owners: [IPAddress: Set<UInt32>] = [:]
    private let socket: NetlinkSocket

    /// Begins to listen; ``relearn()`` fetches what there is already.
    init() throws(DatapathError) {
        socket = try NetlinkSocket()
    }

    /// Readable when something changed.
    var descriptor: Int32 { socket.descriptor.number }

    /// This host's own addresses.
    var addresses: Set<IPAddress> { Set(owners.keys) }

    /// Indices of interfaces that went since the last call.
    mutating func takeGone() -> Set<UInt32> {
        defer { gone = [] }
        return gone
    }

    /// Takes in all changes that wait; returns whether there were any.
    mutating func update() throws(DatapathError) -> Bool {
        var hasChanged = false
        while true {
            switch try socket.receive(wait: false) {
            case .nothing: return hasChanged
            case .overrun: try relearn()
            case .events(let events): for event in events { apply(event) }
            }
            hasChanged = true
        }
    }

    /// Forgets everything and asks again.
    mutating func relearn() throws(DatapathError) {
        // An answer that a change cut through, or beside which changes were lost, is asked for again; changes are rare
        // enough for this to end.
        for _ in 0..<16 {
            // What waits is older than the answer: it would bring back what has gone unheard.
            try discardWaiting()
            links = [:]
            owners = [:]
            let areLinksStale = try learn(.links)
            let areAddressesStale = try learn(.addresses)
            if !areLinksStale, !areAddressesStale { return }
        }
    }

    private func discardWaiting() throws(DatapathError) {
        while true {
            if case .nothing = try socket.receive(wait: false) { return }
        }
    }

    /// Asks, and takes in events up to the end of the answer; returns whether it must be asked for again.
    private mutating func learn(_ request: NetlinkSocket.Request) throws(DatapathError) -> Bool {
        try socket.send(request)
        var isStale = false
        while true {
            guard case .events(let events) = try socket.receive(wait: true) else {
                // The answer goes on; asking again before its end would be refused (EBUSY).
                isStale = true
                continue
            }
            for event in events {
                switch event {
                case .done(let changed): return isStale || changed
                case .failed(let errno):
                    throw .system(operation: "list interfaces and addresses", errno: errno, advice: "")
                default: apply(event)
                }
            }
        }
    }

    private mutating func apply(_ event: NetlinkEvent) {
        switch event {
        case .link(let link): links[link.index] = link
        case .linkGone(let index):
            links[index] = nil
            gone.insert(index)
            for address in owners.keys { disown(address, index) }
        case .address(let address, let index): owners[address, default: []].insert(index)
        case .addressGone(let address, let index): disown(address, index)
        case .done, .failed: break
        }
    }

    private mutating func disown(_ address: IPAddress, _ index: UInt32) {
        owners[address]?.remove(index)
        if owners[address]?.isEmpty == true { owners[address] = nil }
    }
}
