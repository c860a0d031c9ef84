import FlowModel

/// A place where clients reach a service, or where a backend listens: address, port and protocol.
struct ServicePlace: TableKey, Hashable {
    let address: IPAddress
    let port: UInt16
    let proto: IPProtocol

    @inline(__always)
    func hash(_ seed: TableSeed) -> UInt64 {
        seed.mix(address.hash(seed), UInt64(port) << 8 | UInt64(proto.rawValue))
    }

    @inline(__always)
    static func == (left: ServicePlace, right: ServicePlace) -> Bool {
        left.address == right.address && left.port == right.port && left.proto.rawValue == right.proto.rawValue
    }
}
