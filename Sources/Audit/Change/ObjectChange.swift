/// A difference between an object before and after a request.
package struct ObjectChange: Sendable, Hashable, CustomStringConvertible {
    /// The field that changed, such as `ingress[0].ports` or `label app`; without `spec`.
    package var path: String
    /// The value before as text; nil if the field did not exist.
    package var before: String?
    /// The value after as text; nil if the field was removed.
    package var after: String?

    /// Takes all members.
    package init(path: String, before: String?, after: String?) {
        (self.path, self.before, self.after) = (path, before, after)
    }

    /// The difference in one line.
    package var description: String {
        switch (before, after) {
        case (let before?, let after?): "\(path) \(before) → \(after)"
        case (nil, let after?): after.isEmpty ? "\(path) added" : "\(path) added: \(after)"
        case (let before?, nil): before.isEmpty ? "\(path) removed" : "\(path) removed: \(before)"
        case (nil, nil): "\(path) changed"
        }
    }
}

/// Compares two states of an object.
package struct ObjectComparison: Sendable {
    /// The maximum number of listed differences.
    package static let limit = 100

    /// The differences.
    package private(set) var changes: [ObjectChange] = []
    /// The number of differences that are not listed.
    package private(set) var omitted = 0

    /// Members of an object that are not part of its specification.
    private static let ignored = ["kind", "apiVersion", "metadata", "status", "spec"]
    /// Members of a status with addresses or locations.
    private static let places = ["phase", "podIPs", "hostIP", "addresses", "loadBalancer"]
    /// Members whose values may be credentials: a change is listed without values.
    private static let hidden = [
        "env", "data", "stringData", "binaryData", "args", "command", "caBundle", "token", "password",
    ]

    /// Compares two states of an object.
    ///
    /// - Parameters:
    ///   - before: the state before.
    ///   - after: the state after.
    package init(_ before: ObjectValue, _ after: ObjectValue) {
        compareMetadata(before["metadata"] ?? .null, after["metadata"] ?? .null)
        compare("", rest(before), rest(after))
        let (old, new) = (before["status"] ?? .null, after["status"] ?? .null)
        for key in Self.places { compareMember(key, old[key], new[key]) }
    }

    /// Lists the contents of a patch.
    ///
    /// - Parameter patch: the body of the patch: an object with some members, or a list of operations (RFC 6902).
    package init(patch: ObjectValue) {
        guard case .list(let operations) = patch else {
            self.init(.object([:]), patch)
            return
        }
        self.init(.null, .null)
        for operation in operations {
            let path = Self.path(ofPointer: operation["path"]?.string ?? "")
            let value = operation["value"].map { isHidden(path) ? "" : ObjectWords.value($0) }
            let isRemoval = operation["op"]?.string == "remove"
            add(ObjectChange(path: path, before: isRemoval ? "" : nil, after: isRemoval ? nil : value ?? ""))
        }
    }

    private mutating func add(_ change: ObjectChange) {
        if changes.count < Self.limit { changes.append(change) } else { omitted += 1 }
    }

    /// Returns the members of an object and of its spec; the paths of members of the spec have no prefix, because
    /// they are the most common.
    private func rest(_ value: ObjectValue) -> ObjectValue {
        let spec = value["spec"].map { Array($0.members) } ?? []
        // The last of several equal keys counts.
        return .object(ObjectValue.Members(spec + value.members.filter { !Self.ignored.contains($0.key) }))
    }

    // MARK: - Metadata

    private mutating func compareMetadata(_ before: ObjectValue, _ after: ObjectValue) {
        let (old, new) = (before["labels"]?.members ?? [:], after["labels"]?.members ?? [:])
        old.forEachPair(with: new) { key, old, new in
            if old != new { compareMember("label \(key)", old, new) }
        }
        let (oldNotes, newNotes) = (before["annotations"]?.members ?? [:], after["annotations"]?.members ?? [:])
        oldNotes.forEachPair(with: newNotes) { key, old, new in
            guard old != new else { return }
            // Values of annotations are not listed, because they can contain anything.
            let path = "annotation \(key)"
            switch (old, new) {
            case (nil, _): add(ObjectChange(path: path, before: nil, after: ""))
            case (_, nil): add(ObjectChange(path: path, before: "", after: nil))
            default: add(ObjectChange(path: path, before: nil, after: nil))
            }
        }
        compareMember("deletionTimestamp", before["deletionTimestamp"], after["deletionTimestamp"])
        compareMember("finalizers", before["finalizers"], after["finalizers"])
    }

    // MARK: - Values

    private mutating func compareMember(_ path: String, _ before: ObjectValue?, _ after: ObjectValue?) {
        switch (before, after) {
        case (nil, nil): return
        case (let before?, let after?): compare(path, before, after)
        case (nil, let after?) where isRuleList(path, after):
            addRules(path, [], after.elements)
        case (let before?, nil) where isRuleList(path, before):
            addRules(path, before.elements, [])
        case (let before, let after):
            add(ObjectChange(path: path, before: before.map { words(path, $0) }, after: after.map { words(path, $0) }))
        }
    }

    /// Compares two values recursively; adds one difference for each changed value that is not split further.
    private mutating func compare(_ path: String, _ before: ObjectValue, _ after: ObjectValue) {
        let isSelector = path.hasSuffix("Selector") || ObjectWords.isSelector(before) || ObjectWords.isSelector(after)
        switch (before, after) {
        case (.object(let old), .object(let new)) where !isSelector && !isHidden(path):
            old.forEachPair(with: new) { key, old, new in
                if old != new { compareMember(path.isEmpty ? key : "\(path).\(key)", old, new) }
            }
        case (.list(let old), .list(let new)) where isRuleList(path, after) && isRuleList(path, before):
            addRules(path, old, new)
        case (.list(let old), .list(let new)) where !isPorts(path) && !isHidden(path):
            compareElements(path, old, new)
        default:
            guard before != after else { return }
            add(ObjectChange(path: path, before: words(path, before), after: words(path, after)))
        }
    }

    /// Compares lists of addresses, peers or endpoints: lists added and removed elements.
    private mutating func compareElements(_ path: String, _ before: [ObjectValue], _ after: [ObjectValue]) {
        let removed = Self.elements(of: before, missingIn: after)
        let added = Self.elements(of: after, missingIn: before)
        if removed.isEmpty, added.isEmpty {
            guard before != after else { return }
            return add(ObjectChange(path: "\(path): order", before: nil, after: nil))
        }
        if before.count == 1, after.count == 1, before[0].isScalar, after[0].isScalar {
            let (before, after) = (words(path, before[0]), words(path, after[0]))
            return add(ObjectChange(path: path, before: before, after: after))
        }
        if !removed.isEmpty { add(ObjectChange(path: path, before: words(path, .list(removed)), after: nil)) }
        if !added.isEmpty { add(ObjectChange(path: path, before: nil, after: words(path, .list(added)))) }
    }

    /// The elements of a list that are not in another one.
    private static func elements(of list: [ObjectValue], missingIn other: [ObjectValue]) -> [ObjectValue] {
        guard list.count * other.count <= 1024 else {
            let others = Set(other)
            return list.filter { !others.contains($0) }
        }
        // Most elements are at the same index in both lists.
        return list.indices.filter { index in
            !(index < other.count && other[index] == list[index] || other.contains(list[index]))
        }
        .map { list[$0] }
    }

    private func isPorts(_ path: String) -> Bool { path == "ports" || path.hasSuffix(".ports") }

    private func words(_ path: String, _ value: ObjectValue) -> String {
        if isHidden(path) { return "(not shown)" }
        if path.hasSuffix("Selector") || ObjectWords.isSelector(value) {
            return value.string ?? ObjectWords.selector(value)
        }
        if isPorts(path), case .list(let ports) = value {
            return ports.isEmpty ? "none" : ObjectWords.short(ports.map(ObjectWords.port).joined(separator: ", "))
        }
        return ObjectWords.value(value)
    }

    private func isHidden(_ path: String) -> Bool {
        var path = path
        return path.withUTF8 { bytes in
            var start = 0
            while start < bytes.count {
                let end = bytes[start...].firstIndex { $0 == 0x2e || $0 == 0x5b || $0 == 0x2f } ?? bytes.count
                let part = bytes[start..<end]
                if Self.hidden.contains(where: { $0.utf8.count == part.count && part.elementsEqual($0.utf8) }) {
                    return true
                }
                start = end + 1
            }
            return false
        }
    }

    // MARK: - Rules

    private func isRuleList(_ path: String, _ value: ObjectValue) -> Bool {
        guard path == "ingress" || path == "egress", case .list(let rules) = value else { return false }
        return rules.allSatisfy { if case .object = $0 { true } else { false } }
    }

    private mutating func addRules(_ path: String, _ before: [ObjectValue], _ after: [ObjectValue]) {
        let match = RuleMatch(before, after)
        for index in match.removed {
            add(ObjectChange(path: "\(path)[\(index)]", before: ObjectWords.rule(before[index]), after: nil))
        }
        for (old, new) in match.changed {
            compare("\(path)[\(new)]", before[old], after[new])
        }
        for index in match.added {
            add(ObjectChange(path: "\(path)[\(index)]", before: nil, after: ObjectWords.rule(after[index])))
        }
        if match.isReordered, (before + after).contains(where: { $0["action"] != nil }) {
            add(ObjectChange(path: "\(path): order of rules", before: nil, after: nil))
        }
    }

    /// `/spec/ingress/0/ports` as `ingress[0].ports` (RFC 6901).
    private static func path(ofPointer pointer: String) -> String {
        var path = ""
        for part in pointer.split(separator: "/") {
            let name = part.replacing("~1", with: "/").replacing("~0", with: "~")
            if Int(name) != nil {
                path += "[\(name)]"
            } else {
                path += path.isEmpty ? name : ".\(name)"
            }
        }
        return path.hasPrefix("spec.") ? String(path.dropFirst(5)) : path
    }
}
