import CWeir
import FlowModel
import Glibc

/// The addresses that belong behind each interface, according to the kernel.
///
/// The addresses in the network namespace of a pair's other end belong behind the pair (RTM_GETADDR with
/// IFA_TARGET_NETNSID, Linux 4.20). They are read when the interface appears and, at most once a second, when another
/// address is seen behind it. The routes of this host decide for other addresses, and between two namespaces that have the
/// same address. The addresses in packets are no evidence.
struct AddressPlaces: ~Copyable {
    /// What is known of one interface.
    private struct Place {
        /// The other end's namespace (`IFLA_LINK_NETNSID`).
        var namespace: UInt32
        var addresses: Set<IPAddress> = []
        /// When they were read, ms; nil: not yet.
        var readAt: UInt64?
    }

    private var places: [UInt32: Place] = [:]
    /// The interface that an address is behind; of several, the one that had it first.
    private var owners: [IPAddress: UInt32] = [:]
    /// Grows with every change.
    private(set) var generation: UInt64 = 0
    /// Route lookups since ``beginScan()``; they are limited because forged addresses can be many.
    private var questions = 0
    private var channel: NetlinkChannel
    private var lister: NetlinkLister
    private var request = NetlinkWriter()

    /// How long what was read is good for, ms.
    private static let lifetime: UInt64 = 1000
    /// The most addresses of one interface; a process in a namespace can configure any number.
    private static let limit = 256

    private static let questionLimit = 64

    /// Opens the channel; there is no request until there are interfaces.
    init() throws(DatapathError) {
        let lister = try NetlinkLister(isStrict: true)
        channel = try NetlinkChannel(family: NETLINK_ROUTE)
        self.lister = lister
    }

    // MARK: Interfaces

    /// Takes the interfaces as they are now, and reads what is new.
    mutating func follow(_ links: [UInt32: Link], gone: Set<UInt32>, now: UInt64) {
        for index in places.keys where gone.contains(index) || links[index]?.peerNamespace != places[index]?.namespace {
            forget(index)
        }
        for link in links.values where link.isPair && places[link.index] == nil {
            guard let namespace = link.peerNamespace else { continue }
            places[link.index] = Place(namespace: namespace)
            _ = read(link.index, now)
        }
    }

    /// Begins to count questions anew.
    mutating func beginScan() { questions = 0 }

    private mutating func forget(_ index: UInt32) {
        guard let place = places.removeValue(forKey: index) else { return }
        generation += 1
        for address in place.addresses where owners[address] == index { disown(address, index) }
    }

    /// Gives an address to another interface that has it too, if there is one.
    private mutating func disown(_ address: IPAddress, _ index: UInt32) {
        owners[address] = places.filter { $0.key != index && $0.value.addresses.contains(address) }.keys.min()
    }

    // MARK: Addresses

    /// The interface that an address is behind, if it is known; without a request to the kernel.
    func owner(of address: IPAddress) -> UInt32? { owners[address] }

    /// The addresses that are known to be behind an interface, without those that are routed through a gateway: on an uplink
    /// that is a pair they may be another node's.
    mutating func direct() -> Set<IPAddress> {
        let addresses = Array(owners.keys)
        return Set(addresses.filter { !isBehindGateway($0) })
    }

    /// Whether no address is known to be behind any interface.
    var isEmpty: Bool { owners.isEmpty }

    /// Whether it is known at all what is behind an interface.
    func isKnown(_ index: UInt32) -> Bool { places[index]?.addresses.isEmpty == false }

    /// An address that belongs behind an interface: the lowest, so that it is the same every time; nil if none is known.
    func address(behind index: UInt32) -> IPAddress? {
        places[index]?.addresses.min { $0.value < $1.value }
    }

    /// The interfaces behind which one of these addresses is, each with the lowest.
    func interfaces(of addresses: Set<IPAddress>) -> [UInt32: IPAddress] {
        var found: [UInt32: IPAddress] = [:]
        for address in addresses {
            guard let index = owners[address] else { continue }
            found[index] = found[index].map { $0.value < address.value ? $0 : address } ?? address
        }
        return found
    }

    /// Reads an interface's addresses again if they may be stale; returns whether they were others.
    mutating func refresh(_ index: UInt32, now: UInt64) -> Bool {
        guard let place = places[index] else { return false }
        if let readAt = place.readAt, now < readAt + Self.lifetime { return false }
        return read(index, now)
    }

    private mutating func read(_ index: UInt32, _ now: UInt64) -> Bool {
        guard var place = places[index] else { return false }
        place.readAt = now
        let before = place.addresses
        if let addresses = ask(place.namespace) { place.addresses = addresses }
        places[index] = place
        guard place.addresses != before else { return false }
        generation += 1
        for address in before.subtracting(place.addresses) where owners[address] == index { disown(address, index) }
        for address in place.addresses.subtracting(before) where owners[address] == nil { owners[address] = index }
        return true
    }

    /// The interface through which packets to an address leave; nil if there is none, or after too many lookups.
    mutating func output(to address: IPAddress) -> UInt32? {
        questions += 1
        guard questions <= Self.questionLimit else { return nil }
        var output: UInt32?
        askRoute(to: address) { attribute, datagram in
            if attribute.type == Int(RTA_OIF.rawValue) { output = datagram.number(UInt32.self, attribute.value) }
        }
        return output
    }

    /// Whether packets to an address go through a gateway.
    private mutating func isBehindGateway(_ address: IPAddress) -> Bool {
        var isBehind = false
        askRoute(to: address) { attribute, _ in
            if [Int(RTA_GATEWAY.rawValue), Int(RTA_VIA.rawValue)].contains(attribute.type) { isBehind = true }
        }
        return isBehind
    }

    /// Asks for the route to an address; nothing is taken if there is none.
    private mutating func askRoute(
        to address: IPAddress,
        take: (NetlinkBytes.Attribute, NetlinkBytes) -> Void
    ) {
        request.begin(type: UInt16(RTM_GETROUTE), flags: NLM_F_REQUEST)
        // struct rtmsg: family, length of the destination, of the source, TOS; table, protocol, scope, type; flags.
        request.append(UInt8(address.isIPv4 ? AF_INET : AF_INET6))
        request.append(UInt8(address.isIPv4 ? 32 : 128))
        request.append(UInt16(0))
        request.append(UInt32(0))
        request.append(UInt32(0))
        request.attribute(Int(RTA_DST.rawValue), address)
        guard case .message(let type, let datagram, let body) = channel.ask(&request), type == UInt16(RTM_NEWROUTE),
            body.count >= MemoryLayout<rtmsg>.size
        else { return }
        for attribute in datagram.attributes(body.dropFirst(MemoryLayout<rtmsg>.size)) { take(attribute, datagram) }
    }

    /// The addresses of a namespace, without those that every namespace may have; nil if the kernel does not answer.
    private mutating func ask(_ namespace: UInt32) -> Set<IPAddress>? {
        request.begin(type: UInt16(RTM_GETADDR), flags: NLM_F_REQUEST | NLM_F_DUMP)
        // struct ifaddrmsg: family, length of the prefix, flags, scope; interface.
        request.append(UInt32(0))
        request.append(UInt32(0))
        request.attribute(Int(IFA_TARGET_NETNSID), namespace)
        var addresses: Set<IPAddress> = []
        let isComplete = lister.list(&request) { datagram in
            for case .address(let address, _) in NetlinkParser(datagram).events() where !address.isOfEveryHost {
                addresses.insert(address)
            }
            return addresses.count < Self.limit
        }
        return isComplete ? addresses : nil
    }
}

extension IPAddress {
    /// Whether any number of hosts may have it at the same time: unspecified, loopback, link-local, multicast and
    /// broadcast.
    var isOfEveryHost: Bool {
        if let ipv4 {
            let first = ipv4 >> 24
            return first == 0 || first == 127 || ipv4 >> 16 == 0xa9fe || first >= 224
        }
        let high = UInt64(bigEndian: word0)
        let low = UInt64(bigEndian: word1)
        return high == 0 && low <= 1 || high >> 54 == 0x3fa || high >> 56 == 0xff
    }
}
