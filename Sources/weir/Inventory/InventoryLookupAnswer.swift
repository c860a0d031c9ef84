import ClusterModel
import FlowModel
import Foundation
import Inventory

/// The endpoint that records would name for an address, with the reason, as text and as JSON.
struct LookupAnswer {
    private let place: LookupPlace
    private let explanation: AddressExplanation
    private let sources: LookupSources

    /// Looks up a place; if the other end is given, the place is the destination of a connection from it.
    init(_ place: LookupPlace, from source: IPAddress?, in sources: LookupSources) {
        let snapshot = sources.snapshot
        let peer = source.map { snapshot.endpoints(source: $0, destination: place.address).source }
        self.place = place
        self.sources = sources
        explanation = snapshot.explain(
            place.address,
            port: place.port,
            proto: place.proto,
            peerNamespace: peer?.namespace
        )
    }

    // MARK: Why

    /// An object related to the address, and the relation.
    private struct Reason: Encodable {
        var rule: String
        var object: String?
        var place: String?

        var text: String { rule + (place.map { " (\($0))" } ?? "") }
    }

    private var reason: Reason {
        switch explanation.rule {
        case .owner(let claimant):
            return reason(claimant)
        case .networkSet(let match):
            return reason(match)
        case .network where !explanation.services.isEmpty:
            return Reason(rule: "nothing that is known has this address, but services are called there")
        case .network:
            let hint = explanation.mayBecomeKnown ? "; a pod that is not known yet may have it" : ""
            return Reason(rule: "nothing that is known has this address\(hint)")
        }
    }

    private var others: [Reason] {
        explanation.otherClaimants.map(reason) + explanation.otherSets.map(reason)
    }

    private func reason(_ claimant: AddressExplanation.Claimant) -> Reason {
        let name = claimant.object.map(\.description) ?? "this host"
        let rule =
            switch claimant.right {
            case .expectedAddress: "an expected address of \(name)"
            case .ownAddress: "an address that this host has"
            case .podAddress: "an address of \(name)"
            case .nodeAddress: "an address of \(name)"
            }
        let place = sources.place(of: claimant.object, from: claimant.source)
        return Reason(rule: rule, object: claimant.object?.description, place: place)
    }

    private func reason(_ match: AddressExplanation.SetMatch) -> Reason {
        let category =
            switch match.category {
            case .preferredNamespace: "in the namespace of the other end"
            case .global: "a global set"
            case .otherNamespace: "in another namespace than the other end"
            }
        return Reason(
            rule: "in \(match.prefix) of \(match.object), \(category)",
            object: match.object.description,
            place: sources.place(of: match.object, from: match.source)
        )
    }

    // MARK: Services

    private struct Service: Encodable {
        var namespace: String
        var name: String
        var portName: String
        var portNum: UInt16
        var proto: String
        var way: String
        var objects: [Reason]

        var text: String {
            let port = portName == "-" ? "\(portNum)" : "\(portName) \(portNum)"
            return "\(namespace)/\(name) \(port)/\(proto), called by \(way)"
        }
    }

    private var services: [Service] {
        explanation.services.map { match in
            Service(
                namespace: match.shown.namespace,
                name: match.shown.name,
                portName: match.shown.portName ?? "-",
                portNum: match.shown.port,
                proto: match.proto.name,
                way: match.way == .address ? "its address" : "node port",
                objects: match.services.map { service in
                    Reason(
                        rule: "port of \(service.object)",
                        object: service.object.description,
                        place: sources.place(of: service.object, from: service.source)
                    )
                }
            )
        }
    }

    private struct Backend: Encodable {
        var port: UInt16
        var proto: String
        var services: [String]

        var text: String { "\(port)/\(proto) for \(services.joined(separator: ", "))" }
    }

    private var backends: [Backend] {
        explanation.backends.map { match in
            Backend(port: match.port, proto: match.proto.name, services: match.services.map(\.description))
        }
    }

    // MARK: Text

    /// The lines of the answer, indented below the queried address.
    var text: String {
        let endpoint = explanation.endpoint
        var rows = [
            ("type", endpoint.kind.rawValue), ("name", endpoint.name.printable),
            ("name_aggr", endpoint.aggregatedName.printable),
            ("namespace", endpoint.namespace?.printable ?? "-"), ("labels", labels),
        ]
        let services = services
        if services.isEmpty { rows.append(("service", "-")) }
        for service in services {
            rows.append(("service", service.text))
            rows += service.objects.map { ("", $0.text) }
        }
        rows.append(("why", reason.text))
        rows += others.map { ("passed over", $0.text) }
        rows += backends.map { ("answers at", $0.text) }
        return place.text + "\n" + rows.map { "  \(Self.padded($0.0))\($0.1)" }.joined(separator: "\n")
    }

    private var labels: String {
        guard let labels = explanation.endpoint.labels else { return "not known" }
        return labels.labels.isEmpty ? "none" : labels.labels.joined(separator: ", ").printable
    }

    private static func padded(_ name: String) -> String {
        name + String(repeating: " ", count: max(1, 13 - name.count))
    }

    // MARK: JSON

    private struct Line: Encodable {
        var address: String
        var port: UInt16?
        var proto: String?
        var type: String
        var name: String
        var nameAggr: String
        var namespace: String
        var labels: [String]?
        var services: [Service]
        var why: Reason
        var passedOver: [Reason]
        var answersAt: [Backend]
    }

    /// The answer as one JSON object.
    func json() throws -> String {
        let endpoint = explanation.endpoint
        return try JSONEncoder.forLines.line(
            Line(
                address: "\(place.address)",
                port: place.port,
                proto: place.proto?.name,
                type: endpoint.kind.rawValue,
                name: endpoint.name,
                nameAggr: endpoint.aggregatedName,
                namespace: endpoint.namespace ?? "-",
                labels: endpoint.labels?.labels,
                services: services,
                why: reason,
                passedOver: others,
                answersAt: backends
            )
        )
    }
}
