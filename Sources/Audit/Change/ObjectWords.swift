/// Formats parts of policies and services as text.
enum ObjectWords {
    private static let longest = 160

    /// Truncates a text to a length that fits into a line.
    static func short(_ text: String) -> String {
        text.utf8.count > longest ? String(text.prefix(longest)) + "…" : text
    }

    /// Formats any value.
    static func value(_ value: ObjectValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let flag): flag ? "true" : "false"
        case .number(let digits): digits
        case .text(let text): text.isEmpty ? "\"\"" : short(text)
        case .list(let elements):
            elements.isEmpty ? "none" : short(elements.prefix(20).map(part).joined(separator: ", "))
        case .object: short(object(value))
        }
    }

    /// Formats an element of a list: a selector, peer, port or endpoint in its own form, other objects by members.
    static func part(_ value: ObjectValue) -> String {
        guard case .object(let members) = value else { return self.value(value) }
        if members["ipBlock"] != nil || members["podSelector"] != nil || members["namespaceSelector"] != nil {
            return peer(value)
        }
        if let addresses = members["addresses"] { return endpoint(value, addresses) }
        if members["port"] != nil || members["protocol"] != nil { return port(value) }
        if let address = members["ip"]?.string { return address }
        return object(value)
    }

    private static func object(_ value: ObjectValue) -> String {
        if isSelector(value) { return selector(value) }
        let members = value.members
        return members.isEmpty
            ? "all" : members.prefix(12).map { "\($0.key) \(self.value($0.value))" }.joined(separator: ", ")
    }

    // MARK: - Selectors

    /// Whether a value is a label selector of Kubernetes.
    static func isSelector(_ value: ObjectValue) -> Bool {
        guard case .object(let members) = value, !members.isEmpty else { return false }
        return members.keys.allSatisfy { $0 == "matchLabels" || $0 == "matchExpressions" }
    }

    /// Formats a label selector of Kubernetes in the form of `kubectl --selector`.
    static func selector(_ value: ObjectValue) -> String {
        var terms = (value["matchLabels"]?.members ?? [:]).map { "\($0.key)=\($0.value.string ?? "")" }
        for expression in value["matchExpressions"]?.elements ?? [] {
            let key = expression["key"]?.string ?? ""
            let values = (expression["values"]?.strings ?? []).joined(separator: ",")
            switch expression["operator"]?.string {
            case "In": terms.append("\(key) in (\(values))")
            case "NotIn": terms.append("\(key) notin (\(values))")
            case "Exists": terms.append(key)
            case "DoesNotExist": terms.append("!\(key)")
            default: terms.append("\(key)?")
            }
        }
        return terms.isEmpty ? "all" : short(terms.joined(separator: ","))
    }

    // MARK: - Rules

    /// Formats a port: `5432`, `UDP 53`, `8000-8010`, `http 80→8080`.
    static func port(_ value: ObjectValue) -> String {
        guard case .object(let members) = value else { return self.value(value) }
        var text = members["port"].map(self.value) ?? "all ports"
        if let end = members["endPort"] { text += "-\(self.value(end))" }
        if let target = members["targetPort"], target != members["port"] { text += "→\(self.value(target))" }
        if let node = members["nodePort"] { text += " (node port \(self.value(node)))" }
        if let name = members["name"]?.string, !name.isEmpty { text = "\(name) \(text)" }
        let transport = members["protocol"]?.string ?? "TCP"
        return transport == "TCP" ? text : "\(transport) \(text)"
    }

    /// Formats a peer of a Kubernetes rule.
    static func peer(_ value: ObjectValue) -> String {
        if let block = value["ipBlock"] {
            let except = block["except"]?.strings ?? []
            let cidr = block["cidr"]?.string ?? ""
            return except.isEmpty ? cidr : "\(cidr) except \(except.joined(separator: " "))"
        }
        let pods = value["podSelector"].map { $0.members.isEmpty ? "all pods" : "pods \(selector($0))" }
        let namespaces = value["namespaceSelector"].map {
            $0.members.isEmpty ? "all namespaces" : "namespaces \(selector($0))"
        }
        switch (pods, namespaces) {
        case (let pods?, let namespaces?): return "\(pods) in \(namespaces)"
        case (let pods?, nil): return pods
        case (nil, let namespaces?): return namespaces
        default: return object(value)
        }
    }

    /// Formats an endpoint of an EndpointSlice.
    private static func endpoint(_ value: ObjectValue, _ addresses: ObjectValue) -> String {
        let listed = addresses.elements.map { $0.string ?? $0["ip"]?.string ?? "?" }.joined(separator: " ")
        let target = value["targetRef"]?["name"]?.string.map { " (\($0))" } ?? ""
        let ready = value["conditions"]?["ready"] == .bool(false) ? " not ready" : ""
        return listed + target + ready
    }

    /// Formats a rule of a policy.
    static func rule(_ value: ObjectValue) -> String {
        value["action"] == nil ? kubernetesRule(value) : calicoRule(value)
    }

    private static func kubernetesRule(_ value: ObjectValue) -> String {
        let (word, peers) = value["to"].map { ("to", $0) } ?? ("from", value["from"] ?? .list([]))
        let listed = peers.elements.map(peer).joined(separator: ", ")
        let ports = (value["ports"]?.elements ?? []).map(port).joined(separator: ", ")
        let who = listed.isEmpty ? "\(value["to"] == nil ? "any peer" : "to anywhere")" : "\(word) \(listed)"
        return short(ports.isEmpty ? "\(who), all ports" : "\(who), \(ports)")
    }

    private static func calicoRule(_ value: ObjectValue) -> String {
        var words = [value["action"]?.string ?? ""]
        if let transport = value["protocol"] { words.append(self.value(transport)) }
        if let transport = value["notProtocol"] { words.append("not \(self.value(transport))") }
        for (key, word) in [("source", "from"), ("destination", "to"), ("from", "from"), ("to", "to")] {
            guard let side = value[key], !(side.members.isEmpty && side.elements.isEmpty) else { continue }
            words.append("\(word) \(side.elements.isEmpty ? object(side) : self.value(side))")
        }
        if let ports = value["ports"] { words.append("ports \(self.value(ports))") }
        if let name = value["name"]?.string { words.append("(\(name))") }
        return short(words.joined(separator: " "))
    }
}
