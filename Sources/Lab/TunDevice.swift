import CWeir
import Glibc

/// A tun device: an interface without Ethernet, whose other end is this object.
///
/// It goes with this object.
package final class TunDevice: Sendable {
    /// The interface's name.
    package let interface: String

    private let descriptor: Descriptor

    /// Makes the device, sets it up and gives it addresses (`10.8.0.1/24`), whose networks lie behind it.
    package init(in namespace: NetworkNamespace, interface: String = "tun0", addresses: [String]) throws(LabError) {
        self.interface = interface
        let number = try namespace.perform { weir_netns_tun(interface) }.get()
        descriptor = Descriptor(owning: try LabError.unwrap("make tun device \(interface)", number))
        let lines = addresses.map { "address add \($0) dev \(interface)" }
        try namespace.ip(batch: ["link set dev \(interface) multicast off up"] + lines)
    }

    /// Lets an IP packet enter the namespace through the device.
    package func inject(_ packet: [UInt8]) throws(LabError) {
        _ = try LabError.check("send \(packet.count) bytes into \(interface)") {
            write(descriptor.number, packet, packet.count)
        }
    }

    /// Takes the next IP packet that left the namespace through the device, or nil if none came in time.
    package func next(within timeout: Duration = .seconds(2)) throws(LabError) -> [UInt8]? {
        var request = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        let ready = try LabError.check("wait for \(interface)") { poll(&request, 1, timeout.pollTime) }
        guard ready > 0 else { return nil }
        var packet = [UInt8](repeating: 0, count: 65536)
        let count = try LabError.check("take a packet from \(interface)") { read(descriptor.number, &packet, 65536) }
        return Array(packet.prefix(count))
    }
}
