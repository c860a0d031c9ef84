import CWeir
import FlowModel
import Glibc

/// The addresses that belong behind each interface, according to the kernel.
///
/// The addresses in the network namespace of a pair's other end belong behind the pair (RTM_GETADDR with
/// IFA_TARGET_NETNSID, Linux 4.20): behind each pair that leads into the namespace, because a host sends and answers under
/// all its addresses on all its interfaces (RFC 1122, section 3.3.4.2, weak host model). They are read when an interface
/// appears and, at most once a second, when another address is seen behind it. The routes of this host decide for other
/// addresses, and between two namespaces that have the same address. The addresses in packets are no evidence.
struct AddressPlaces: ~Copyable {
    /// A network namespace that pairs lead into.
    private struct Namespace {
        /// The indices of the pairs' ends in this namespace.
        var interfaces: Set<UInt32> = []
        var addresses: Set<IPAddress> = []
        /// The time when the addresses were read, ms; nil if they were not read yet.
        var readAt: UInt64?
    }

    /// Namespaces by their numbers in this namespace (`IFLA_LINK_NETNSID`).
    private var namespaces: [UInt32: Namespace] = [:]
    /// The namespace behind each interface.
    private var places: [UInt32: UInt32] = [:]
    /// The namespaces that have an address, in the order in which it was found in them.
    private var holders: [IPAddress: [UInt32]] = [:]
    /// A number that grows with every change.
    private(set) var generation: UInt64 = 0
    /// Route lookups since ``beginScan()``; they are limited because forged addresses can be many.
    private var questions = 0
    private var channel: NetlinkChannel
    private var lister: NetlinkLister
    private var request = NetlinkWriter()

    /// The time for which a reading is valid, ms.
    private static let lifetime: UInt64 = 1000
    /// The most addresses of one namespace; a process in it can configure any number.
    private static let limit = 256

    private static let questionLimit = 64

    /// Opens the channel; there is no request until there are interfaces.
    init() throws(DatapathError) {
        let lister = try NetlinkLister(isStrict: true)
        channel = try NetlinkChannel(family: NETLINK_ROUTE)
        self.lister = lister
    }

    // MARK: Interfaces

    /// Takes the present interfaces, and reads the addresses behind new ones.
    ///
    /// Of namespaces that are found at the same time, those with the lower indices come first.
    mutating func follow(_ links: [UInt32: Link], gone: Set<UInt32>, now: UInt64) {
        for (index, namespace) in places where gone.contains(index) || links[index]?.namespaceBehind != namespace {
            forget(index, namespace)
        }
        var refreshed: Set<UInt32> = []
        for index in links.keys.sorted() where places[index] == nil {
            guard let namespace = links[index]?.namespaceBehind else { continue }
            places[index] = namespace
            namespaces[namespace, default: Namespace()].interfaces.insert(index)
            if refreshed.insert(namespace).inserted { _ = read(namespace, now) }
        }
    }

    /// Resets the number of route lookups.
    mutating func beginScan() { questions = 0 }

    private mutating func forget(_ index: UInt32, _ namespace: UInt32) {
        places[index] = nil
        namespaces[namespace]?.interfaces.remove(index)
        guard let last = namespaces[namespace], last.interfaces.isEmpty else { return }
        namespaces[namespace] = nil
        generation += 1
        for address in last.addresses { release(address, namespace) }
    }

    private mutating func release(_ address: IPAddress, _ namespace: UInt32) {
        holders[address]?.removeAll { $0 == namespace }
        if holders[address]?.isEmpty == true { holders[address] = nil }
    }

    // MARK: Addresses

    /// Returns the interfaces that an address is behind, as far as is known; without a request to the kernel.
    ///
    /// All of them lead into one namespace: if several namespaces have the address, the one where it was found first.
    func owners(of address: IPAddress) -> Set<UInt32> {
        holders[address]?.first.flatMap { namespaces[$0]?.interfaces } ?? []
    }

    /// Returns the interfaces that lead into the same namespace as one of them, and this one.
    func interfaces(beside index: UInt32) -> Set<UInt32> {
        places[index].flatMap { namespaces[$0]?.interfaces } ?? [index]
    }

    /// Whether an address is among those in the namespace behind an interface; another one may have it too.
    func has(_ address: IPAddress, behind index: UInt32) -> Bool {
        places[index].flatMap { namespaces[$0]?.addresses.contains(address) } ?? false
    }

    /// The known addresses behind interfaces, without those that are routed through a gateway: on an uplink that is a pair they
    /// may be another node's.
    mutating func direct() -> Set<IPAddress> {
        let addresses = Array(holders.keys)
        return Set(addresses.filter { !isBehindGateway($0) })
    }

    /// Whether no address is known to be behind any interface.
    var isEmpty: Bool { holders.isEmpty }

    /// Whether the addresses behind an interface are known at all.
    func isKnown(_ index: UInt32) -> Bool {
        places[index].flatMap { namespaces[$0]?.addresses.isEmpty } == false
    }

    /// Returns an address that belongs behind an interface; nil if none is known.
    ///
    /// The lowest workload address if there is one, else the lowest address, so that the result is stable.
    func address(behind index: UInt32, workloads: Set<IPAddress>) -> IPAddress? {
        guard let addresses = places[index].flatMap({ namespaces[$0]?.addresses }) else { return nil }
        return addresses.min { (workloads.contains($0) ? 0 : 1, $0.value) < (workloads.contains($1) ? 0 : 1, $1.value) }
    }

    /// Returns the interfaces behind which one of these addresses is, each with the lowest.
    func interfaces(of addresses: Set<IPAddress>) -> [UInt32: IPAddress] {
        var found: [UInt32: IPAddress] = [:]
        for address in addresses {
            for index in owners(of: address) {
                found[index] = found[index].map { $0.value < address.value ? $0 : address } ?? address
            }
        }
        return found
    }

    /// Reads the addresses behind an interface again if they may be stale; returns whether they have changed.
    mutating func refresh(_ index: UInt32, now: UInt64) -> Bool {
        guard let number = places[index], let namespace = namespaces[number] else { return false }
        if let readAt = namespace.readAt, now < readAt + Self.lifetime { return false }
        return read(number, now)
    }

    private mutating func read(_ number: UInt32, _ now: UInt64) -> Bool {
        guard var namespace = namespaces[number] else { return false }
        namespace.readAt = now
        let before = namespace.addresses
        if let addresses = ask(number) { namespace.addresses = addresses }
        let after = namespace.addresses
        namespaces[number] = namespace
        guard after != before else { return false }
        generation += 1
        for address in before.subtracting(after) { release(address, number) }
        for address in after.subtracting(before) { holders[address, default: []].append(number) }
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

    /// Requests the route to an address; nothing is taken if there is none.
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
    /// Whether any number of hosts may have it at the same time: unspecified, loopback, link-local, multicast and broadcast.
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

extension Link {
    /// The number of the namespace that a pair's other end is in; nil if that is this one, or the kernel has no number for it.
    fileprivate var namespaceBehind: UInt32? {
        guard isPair, let peerNamespace, peerNamespace <= UInt32(Int32.max) else { return nil }
        return peerNamespace
    }
}
