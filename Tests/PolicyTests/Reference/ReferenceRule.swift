import ClusterModel
import FlowModel

/// A rule in the form that Calico evaluates, matched field by field.
struct ReferenceRule {
    struct Entity {
        /// The condition on the labels of the endpoint or a network set; nil for no condition.
        var selected: (([String: String]) -> Bool)?
        var notSelected: (([String: String]) -> Bool)?
        var nets: [IPPrefix]?
        var notNets: [IPPrefix] = []
        var ports: [PortMatch] = []
        var notPorts: [PortMatch] = []
        var service: String?
    }

    var action: String
    var ipVersion: Int?
    var proto: ProtocolMatch?
    var notProto: ProtocolMatch?
    var icmp: ICMPMatch?
    var notICMP: ICMPMatch?
    var source = Entity()
    var destination = Entity()
    var neverMatches = false

    func matches(_ flow: ReferenceFlow) -> Bool {
        if neverMatches { return false }
        if let ipVersion, ipVersion != (flow.packets.source.isIPv4 ? 4 : 6) { return false }
        switch proto {
        case .number(let number)? where number != flow.packets.proto: return false
        case .unreadable?: return false
        default: break
        }
        switch notProto {
        case .number(let number)? where number == flow.packets.proto: return false
        case .unreadable?: return false
        default: break
        }
        if let icmp, !Self.isICMP(icmp, flow) { return false }
        if let notICMP, notICMP != ICMPMatch(), Self.isICMP(notICMP, flow) { return false }
        return Self.matches(source, flow.source, flow, port: flow.packets.sourcePort, servicePort: nil)
            && Self.matches(
                destination,
                flow.destination,
                flow,
                port: flow.packets.destinationPort,
                servicePort: flow.packets.destinationPort
            )
    }

    private static func isICMP(_ match: ICMPMatch, _ flow: ReferenceFlow) -> Bool {
        guard [1, 58].contains(flow.packets.proto.rawValue) else { return false }
        let (type, code) = (flow.packets.destinationPort / 256, flow.packets.destinationPort % 256)
        return (match.type.map { UInt16($0) == type } ?? true) && (match.code.map { UInt16($0) == code } ?? true)
    }

    private static func matches(
        _ entity: Entity,
        _ end: ReferenceFlow.End,
        _ flow: ReferenceFlow,
        port: UInt16,
        servicePort: UInt16?
    ) -> Bool {
        if let selected = entity.selected, !end.things.contains(where: selected) { return false }
        if let notSelected = entity.notSelected, end.things.contains(where: notSelected) { return false }
        if let nets = entity.nets, !nets.contains(where: { $0.contains(end.address) }) { return false }
        if entity.notNets.contains(where: { $0.contains(end.address) }) { return false }
        if let service = entity.service, !flow.answersFor(service, end.address, servicePort) { return false }
        if !entity.ports.isEmpty, !isPort(entity.ports, port, end, flow) { return false }
        return entity.notPorts.isEmpty || !isPort(entity.notPorts, port, end, flow)
    }

    private static func isPort(
        _ ports: [PortMatch],
        _ port: UInt16,
        _ end: ReferenceFlow.End,
        _ flow: ReferenceFlow
    ) -> Bool {
        guard flow.hasPorts else { return false }
        for match in ports {
            switch match {
            case .range(let range) where range.contains(port): return true
            case .name(let name):
                for named in end.namedPorts
                where named.name == name && named.port == port && named.proto == flow.packets.proto { return true }
            default: continue
            }
        }
        return false
    }
}
