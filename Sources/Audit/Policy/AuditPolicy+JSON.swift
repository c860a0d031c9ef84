extension AuditPolicy {
    /// Parses a policy.
    ///
    /// - Parameter json: the policy as JSON.
    /// - Throws: an error if it is not an audit policy.
    package init(json: Span<UInt8>) throws(AuditError) {
        guard let root = ObjectValue(in: json, 0..<json.count), case .object(let members) = root else {
            throw AuditError("no object")
        }
        guard root["kind"]?.string == "Policy", let version = root["apiVersion"]?.string,
            version.hasPrefix("audit.k8s.io/")
        else { throw AuditError("not a Policy of audit.k8s.io: kind or apiVersion is another") }
        self.init()
        apiVersion = version
        check(
            members.keys,
            ["kind", "apiVersion", "metadata", "rules", "omitStages", "omitManagedFields"],
            "the policy"
        )
        omitStages = root["omitStages"]?.strings ?? []
        omitManagedFields = root["omitManagedFields"] == .bool(true)
        for (index, value) in (root["rules"]?.elements ?? []).enumerated() { rules.append(rule(value, index)) }
        let stages = omitStages + rules.flatMap(\.omitStages)
        for stage in Set(stages).sorted() where AuditStage(rawValue: stage) == nil {
            mistakes.append("omitStages: \(stage) is no stage")
        }
    }

    private mutating func rule(_ value: ObjectValue, _ index: Int) -> Rule {
        let place = "rules[\(index)]"
        check(
            value.members.keys,
            [
                "level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs", "omitStages",
                "omitManagedFields",
            ],
            place
        )
        var rule = Rule()
        rule.level = value["level"]?.string.flatMap(AuditLevel.init)
        if rule.level == nil {
            mistakes.append("\(place).level: None, Metadata, Request or RequestResponse is needed")
        }
        rule.users = value["users"]?.strings ?? []
        rule.userGroups = value["userGroups"]?.strings ?? []
        rule.verbs = value["verbs"]?.strings ?? []
        rule.namespaces = value["namespaces"]?.strings ?? []
        rule.nonResourceURLs = value["nonResourceURLs"]?.strings ?? []
        rule.omitStages = value["omitStages"]?.strings ?? []
        if case .bool(let omits)? = value["omitManagedFields"] { rule.omitManagedFields = omits }
        for (number, part) in (value["resources"]?.elements ?? []).enumerated() {
            check(part.members.keys, ["group", "resources", "resourceNames"], "\(place).resources[\(number)]")
            rule.resources.append(
                Resources(
                    group: part["group"]?.string ?? "",
                    resources: part["resources"]?.strings ?? [],
                    names: part["resourceNames"]?.strings ?? []
                )
            )
        }
        checkUse(rule, place)
        return rule
    }

    /// Finds settings that the API server rejects, or accepts but never matches.
    private mutating func checkUse(_ rule: Rule, _ place: String) {
        if !rule.nonResourceURLs.isEmpty, !rule.resources.isEmpty || !rule.namespaces.isEmpty {
            mistakes.append("\(place): resources or namespaces and nonResourceURLs exclude each other")
        }
        if rule.verbs.contains("*") {
            mistakes.append("\(place).verbs: * is no wildcard here; leave verbs out for all")
        }
        if rule.users.contains(where: { $0.hasSuffix("*") }) || rule.userGroups.contains(where: { $0.hasSuffix("*") }) {
            mistakes.append("\(place): users and groups have no wildcards")
        }
        for part in rule.resources where part.group.contains("/") || part.group.contains("*") {
            mistakes.append(
                "\(place).resources: the group \(part.group) is invalid; a group has neither version nor wildcard"
            )
        }
        for part in rule.resources where !part.names.isEmpty && part.resources.isEmpty {
            mistakes.append("\(place).resources: resourceNames without resources do not restrict")
        }
    }

    private mutating func check(_ keys: some Sequence<String>, _ known: Set<String>, _ place: String) {
        for key in keys.sorted() where !known.contains(key) {
            mistakes.append("\(place): \(ObjectWords.short(key)) is no member of it")
        }
    }
}
