import CWeir
import Glibc

/// A tun device: an interface without Ethernet; this object is its other end.
///
/// The device is removed when this object is released.
package final class TunDevice: Sendable {
    /// The interface's name.
    package let interface: String

    private let descriptor: Descriptor

    /// Creates the device, brings it up, and adds addresses (`10.8.0.1/24`) with their networks behind it.
    package init(in namespace: NetworkNamespace, interface: String = "tun0", addresses: [String]) throws(LabError) {
        self.interface = interface
        let number = try namespace.perform { weir_netns_tun(interface) }.get()
        descriptor = Descriptor(owning: try LabError.unwrap("make tun device \(interface)", number))
        let lines = addresses.map { "address add \($0) dev \(interface)" }
        try namespace.ip(batch: ["link set dev \(interface) multicast off up"] + lines)
    }

    /// Sends an IP packet into the namespace through the device.
    package func inject(_ packet: [UInt8]) throws(LabError) {
        _ = try LabError.check("send \(packet.count) bytes into \(interface)") {
            write(descriptor.number, packet, packet.count)
        }
    }

    /// Returns the next IP packet that left the namespace through the device; nil if there was none in time.
    package func next(within timeout: Duration = .seconds(2)) throws(LabError) -> [UInt8]? {
        var request = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        let ready = try LabError.check("wait for \(interface)") { poll(&request, 1, timeout.pollTime) }
        guard ready > 0 else { return nil }
        var packet = [UInt8](repeating: 0, count: 65536)
        let count = try LabError.check("take a packet from \(interface)") { read(descriptor.number, &packet, 65536) }
        return Array(packet.prefix(count))
    }
}
