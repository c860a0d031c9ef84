import FlowModel
package import Records

/// An end of a record as a screen shows it: `yaobank/customer-…*`, `10.9.8.7 (private)`.
package struct EndName: Sendable, Hashable {
    /// The namespace before the name; nil if there is none.
    package var namespace: String?
    /// The neutralized name: the endpoint's name, an address with its class, or another identifier of the endpoint.
    package var name: String
    /// The address; nil if the record has none or the name is the address.
    package var address: String?

    /// The source or the destination of a record.
    package init(_ record: ReadRecord, _ end: RecordEnd) {
        let kind = record.text(end.type).flatMap(Endpoint.Kind.init) ?? .network
        let address = record.text(end.address)
        let aggregated = record.text(end.aggregatedName) ?? "-"
        switch kind {
        case .workload, .host, .networkSet:
            namespace = record.name(end.namespace).map(TerminalText.neutralized)
            name = TerminalText.neutralized(record.name(end.name) ?? aggregated)
            self.address = address.map(TerminalText.neutralized)
        case .network:
            namespace = nil
            self.address = nil
            name = TerminalText.neutralized(Self.network(address, aggregated))
        }
    }

    private static func network(_ address: String?, _ aggregated: String) -> String {
        let name =
            switch aggregated {
            case "pub": "public"
            case "pvt": "private"
            case "-": "other end not kept"
            default: aggregated
            }
        guard let address else { return aggregated == "-" ? "(\(name))" : "(\(name), no address)" }
        return "\(address) (\(name))"
    }

    /// The complete name.
    package var text: String { namespace.map { "\($0)/\(name)" } ?? name }

    /// Fits the name to a width.
    ///
    /// Shortens the pod template's hash or the class of an address first, then the middle of the name, then the end of the
    /// namespace.
    package func fitted(to width: Int) -> String {
        guard TerminalText.width(text) > width else { return text }
        let scope = namespace.map { "\($0)/" } ?? ""
        let room = width - TerminalText.width(scope)
        for shorter in Self.withoutHash(name) + withoutClass where TerminalText.width(shorter) <= room {
            return scope + shorter
        }
        let least = min(TerminalText.width(name), 15)
        if room >= least { return scope + TerminalText.middle(name, width: room) }
        guard let namespace, width > least + 6 else { return TerminalText.middle(text, width: width) }
        let head = TerminalText.prefix(namespace, width: width - least - 1)
        return "\(head)/" + TerminalText.middle(name, width: width - TerminalText.width(head) - 1)
    }

    /// Shorter forms of `10.9.8.7 (private)`: `10.9.8.7 (pvt)` and `10.9.8.7`.
    private var withoutClass: [String] {
        for (long, short) in [(" (private)", "pvt"), (" (public)", "pub")]
        where namespace == nil && name.hasSuffix(long) {
            let address = String(name.dropLast(long.utf8.count))
            return ["\(address) (\(short))", address]
        }
        return []
    }

    /// Shorter forms of `customer-856cd6d9f5-*`: `customer-856…9f5-*` and `customer-…*`.
    private static func withoutHash(_ name: String) -> [String] {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 3, let hash = parts.dropLast().last, 8...10 ~= hash.utf8.count,
            hash.utf8.allSatisfy({ 0x30...0x39 ~= $0 || 0x61...0x7a ~= $0 })
        else { return [] }
        let owner = parts.dropLast(2).joined(separator: "-")
        let last = parts[parts.count - 1]
        let separator = last == "*" ? "" : "-"
        return ["\(owner)-\(hash.prefix(3))…\(hash.suffix(3))-\(last)", "\(owner)-…\(separator)\(last)"]
    }
}
