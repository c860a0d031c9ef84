import CWeir
import FlowModel
import Glibc

/// The host routes that lead to the workloads of this host.
///
/// The route of each workload's address is looked up in the kernel, and again after an event that may change it, so the cost
/// depends on the number of workloads and not on the number of routes.
struct WorkloadRoutes: ~Copyable {
    /// The addresses of this host's workloads.
    private(set) var addresses: Set<IPAddress> = []
    /// The outgoing interfaces of the routes, by address.
    private(set) var outputs: [IPAddress: UInt32] = [:]
    /// Addresses whose routes must be looked up.
    private var stale: Set<IPAddress> = []
    private var channel: NetlinkChannel
    private var request = NetlinkWriter()

    /// Opens the channel; there is no request until there are addresses.
    init() throws(DatapathError) {
        channel = try NetlinkChannel(family: NETLINK_ROUTE)
    }

    /// Takes the addresses of this host's workloads.
    mutating func replaceAddresses(with newer: Set<IPAddress>) {
        for address in addresses.subtracting(newer) { outputs[address] = nil }
        stale.formUnion(newer.subtracting(addresses))
        stale.formIntersection(newer)
        addresses = newer
    }

    /// Notes that a route to an address appeared, changed or was removed.
    mutating func routeChanged(to address: IPAddress) {
        if addresses.contains(address) { stale.insert(address) }
    }

    /// Notes that an interface changed or was removed; an IPv4 route that is removed with it is not announced
    /// (fib_sync_down_dev).
    mutating func interfaceChanged(_ index: UInt32) {
        for (address, output) in outputs where output == index { stale.insert(address) }
    }

    /// Notes that routes may have changed without an event.
    mutating func everythingMayHaveChanged() {
        stale = addresses
    }

    /// Looks up stale routes; returns whether a route leads elsewhere now.
    mutating func refresh() -> Bool {
        var hasChanged = false
        for address in stale {
            // If the kernel does not answer, the rest is looked up at the next change.
            guard case .known(let output) = ask(address) else { break }
            stale.remove(address)
            guard outputs[address] != output else { continue }
            outputs[address] = output
            hasChanged = true
        }
        return hasChanged
    }

    private enum Finding {
        case known(UInt32?)
        case unknown
    }

    /// Requests the route that the kernel would take, and not the one that it derives for a packet (RTM_F_FIB_MATCH, Linux
    /// 4.13).
    private mutating func ask(_ address: IPAddress) -> Finding {
        request.begin(type: UInt16(RTM_GETROUTE), flags: NLM_F_REQUEST)
        // struct rtmsg: family, length of the destination, of the source, TOS; table, protocol, scope, type; flags.
        request.append(UInt8(address.isIPv4 ? AF_INET : AF_INET6))
        request.append(UInt8(address.isIPv4 ? 32 : 128))
        request.append(UInt16(0))
        request.append(UInt32(0))
        request.append(UInt32(RTM_F_FIB_MATCH))
        request.attribute(Int(RTA_DST.rawValue), address)
        switch channel.ask(&request) {
        case .lost: return .unknown
        // There is no route.
        case .failed: return .known(nil)
        case .message(_, let datagram, _):
            for case .route(let route) in NetlinkParser(datagram).events() where route.destination == address {
                return .known(route.output)
            }
            return .known(nil)
        }
    }
}
