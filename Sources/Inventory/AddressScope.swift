import FlowModel

extension IPAddress {
    /// Whether the flow log format counts the address as private: IPv4 in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.
    ///
    /// These are the networks of RFC 1918 section 3. All other addresses are public, also all of IPv6, loopback,
    /// link-local and shared (RFC 6598) addresses.
    var isPrivate: Bool {
        guard let value = ipv4 else { return false }
        return value >> 24 == 0x0a || value >> 20 == 0xac1 || value >> 16 == 0xc0a8
    }

    /// Whether clusters commonly assign addresses of this range to pods.
    ///
    /// These are private IPv4, IPv4 in 100.64.0.0/10 (RFC 6598), and IPv6 in fc00::/7 (RFC 4193). Link-local addresses,
    /// 169.254.0.0/16 and fe80::/10, are excluded: several machines use the same ones, so they do not identify a pod.
    var isUsualForWorkloads: Bool {
        guard let value = ipv4 else { return UInt64(bigEndian: word0) >> 57 == 0xfc >> 1 }
        return isPrivate || value >> 22 == 0x6440 >> 6
    }
}
