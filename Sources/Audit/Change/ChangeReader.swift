import ClusterModel

/// Makes changes of final request events, and keeps the object states to compare with.
///
/// Only requests that succeeded change the kept states.
package struct ChangeReader: Sendable {
    /// The changes to read.
    package enum Scope: Sendable {
        /// All changes.
        case everything
        /// Changes that concern policies; comparison of another change stops as soon as it can be excluded.
        case policies
    }

    private var history: ObjectHistory
    private let scope: Scope
    /// The number of objects that are not compared because their events are out of order.
    package private(set) var disordered = 0

    /// Creates a reader.
    ///
    /// - Parameters:
    ///   - history: the object states to compare with.
    ///   - scope: the changes to read.
    package init(history: ObjectHistory = ObjectHistory(), scope: Scope = .everything) {
        (self.history, self.scope) = (history, scope)
    }

    /// Reads the change of a request.
    ///
    /// - Parameters:
    ///   - event: the final stage of the request.
    ///   - bytes: the line of the event.
    /// - Returns: the change; nil if the request could not change anything, or is out of scope.
    package mutating func change(_ event: AuditEvent, in bytes: Span<UInt8>) -> AuditChange? {
        guard event.isWrite, let target = event.target else { return nil }
        if scope == .policies, AuditResource.role(of: target) == .other { return nil }
        var change = AuditChange(event)
        if event.verb == "deletecollection" {
            deleteCollection(&change, target, bytes)
        } else {
            guard compare(&change, event, target, bytes) else { return nil }
        }
        return scope == .everything || change.concernsPolicies ? change : nil
    }

    // MARK: - One object

    /// Compares the states of an object; false if it is certain that the change is not in the scope.
    private mutating func compare(
        _ change: inout AuditChange,
        _ event: AuditEvent,
        _ target: AuditTarget,
        _ bytes: Span<UInt8>
    ) -> Bool {
        let isNew = event.isCreation
        // If the request has no object name, the response must be read first.
        let isNamed = !change.name.isEmpty || isNew
        let outline = isNamed ? event.responseObject.flatMap { ObjectOutline(in: bytes, $0) } : nil
        if !isNamed { change.name = Self.name(of: event.responseObject.flatMap { Self.object(in: bytes, $0) }) }
        let known = isNew ? nil : history[ObjectHistory.Key(target, name: change.name)]
        if scope == .policies, let outline, isUnconcerned(event, target, known, outline, bytes) {
            let key = ObjectHistory.Key(target, name: change.name)
            if let place = event.responseObject, Self.isWhole(target) { history.set(key, bytes, place, outline) }
            return false
        }
        let (before, answered) = states(event, target, known, outline, bytes)
        if change.name.isEmpty { change.name = Self.name(of: answered) }
        // The request's object is only needed if a state is missing; a binding's response lacks what the request contains.
        let isKnown = isNew ? answered != nil && target.subresource != "binding" : isComparable(before, answered)
        let sent = isKnown ? nil : event.requestObject.flatMap { ObjectValue(in: bytes, $0) }
        if change.name.isEmpty, isNew, answered == nil { change.name = Self.name(of: sent) }
        let key = ObjectHistory.Key(target, name: change.name)
        if event.outcome == .done {
            if let answered { Self.noteDeletion(&change, target, answered) }
            let last = answered ?? (event.verb == "delete" ? before : nil)
            change.version = last?["metadata"]?["resourceVersion"]?.string
        }
        if event.outcome == .done || event.outcome == .dryRun {
            describe(&change, target, before: before, answered: answered, sent: sent)
        }
        guard event.outcome == .done, !change.name.isEmpty else {
            if event.outcome == .panicked || event.outcome == .unfinished { history.remove(key) }
            return true
        }
        if change.isRemoval {
            history.remove(key)
        } else {
            keep(key, event, before: before, answered: answered, outline, bytes)
        }
        if target.isOfPolicies, !change.isRemoval {
            change.state = Self.state(change, hasAnswer: answered != nil, bytes)
        }
        return true
    }

    /// Whether a successful change concerns no policy.
    ///
    /// This is the case if it changes no label of an object that policies select by labels, or if it is a request for a
    /// subresource of an object that policies do not select.
    private func isUnconcerned(
        _ event: AuditEvent,
        _ target: AuditTarget,
        _ known: ObjectHistory.Entry?,
        _ outline: ObjectOutline,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard event.outcome == .done, event.verb == "update" || event.verb == "patch", !event.isCreation,
            !target.name.isEmpty, let place = event.responseObject
        else { return false }
        let object = bytes.extracting(place)
        guard outline.value(of: .metadata, "deletionTimestamp", in: object) == nil else { return false }
        let isSelectedByLabels = target.isSelectedByLabels
        guard isSelectedByLabels || !target.subresource.isEmpty && AuditResource.role(of: target) != .selected else {
            return false
        }
        guard let known else { return !isSelectedByLabels }
        guard let earlier = known.outline,
            let version = outline.number(of: .metadata, "resourceVersion", in: object),
            let earlierVersion = earlier.number(of: .metadata, "resourceVersion", in: known.bytes.span),
            version >= earlierVersion
        else { return false }
        return !isSelectedByLabels || outline.isSame(.metadata, "labels", in: object, as: earlier, in: known.bytes.span)
    }

    /// Returns the states of an object before and after a request, without parts that are equal.
    private func states(
        _ event: AuditEvent,
        _ target: AuditTarget,
        _ known: ObjectHistory.Entry?,
        _ outline: ObjectOutline?,
        _ bytes: Span<UInt8>
    ) -> (before: ObjectValue?, answered: ObjectValue?) {
        guard let place = event.responseObject, let outline else {
            return (known?.value, event.responseObject.flatMap { Self.object(in: bytes, $0) })
        }
        let object = bytes.extracting(place)
        guard let known else {
            let isDescribed = event.isCreation && Self.isDescribed(target)
            return (nil, ObjectValue(isDescribed ? outline.members : outline.identity(in: object), in: object))
        }
        // A deleted object is described by its last state.
        guard let earlier = known.outline, event.verb != "delete",
            outline.value(of: .metadata, "deletionTimestamp", in: object) == nil
        else { return (known.value, ObjectValue(outline.members, in: object)) }
        let old = known.bytes.span
        return ObjectValue.states(
            earlier.differing(in: old, from: outline, in: object),
            in: old,
            outline.differing(in: object, from: earlier, in: old),
            in: object
        )
    }

    private static func name(of object: ObjectValue?) -> String { object?["metadata"]?["name"]?.string ?? "" }

    /// Whether both states are known and in order.
    private func isComparable(_ before: ObjectValue?, _ after: ObjectValue?) -> Bool {
        guard let before, let after else { return false }
        return !isOlder(after, than: before)
    }

    /// Determines whether an object remains after its deletion was requested, and whether this request removes it.
    ///
    /// An API server keeps an object with finalizers and sets its `deletionTimestamp`; the request that removes the last
    /// finalizer deletes it. Pods are also kept for their grace period.
    private static func noteDeletion(_ change: inout AuditChange, _ target: AuditTarget, _ answered: ObjectValue) {
        guard let metadata = answered["metadata"], metadata["deletionTimestamp"]?.string != nil else { return }
        // Namespaces have more finalizers in their spec.
        let further = target.resource == "namespaces" ? answered["spec"]?["finalizers"]?.strings ?? [] : []
        let finalizers = (metadata["finalizers"]?.strings ?? []) + further
        switch change.event.verb {
        case "delete" where !finalizers.isEmpty:
            (change.remaining, change.finalizers) = ([change.name], finalizers)
        case "update", "patch":
            guard finalizers.isEmpty, [nil, .null, .number("0")].contains(metadata["deletionGracePeriodSeconds"]) else {
                return
            }
            // A subresource with its own object, such as a scale, is not the object.
            change.isRemoval = ["", "finalize", "status"].contains(target.subresource)
        default: break
        }
    }

    /// The maximum size of an object in a change, in bytes.
    private static let longestState = 32 << 10

    /// Returns the object after a request: from the response, or from the request if that has the whole object.
    private static func state(_ change: AuditChange, hasAnswer: Bool, _ bytes: Span<UInt8>) -> String? {
        let event = change.event
        let sent = event.verb == "create" || event.verb == "update" ? event.requestObject : nil
        guard event.verb != "delete" || !change.remaining.isEmpty, let place = hasAnswer ? event.responseObject : sent,
            place.count <= longestState
        else { return nil }
        return bytes.extracting(place).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }

    /// Returns the object of a response; nil for a Status, and for objects that are too large.
    private static func object(in bytes: Span<UInt8>, _ place: Range<Int>) -> ObjectValue? {
        guard let value = ObjectValue(in: bytes, place), value["metadata"] != nil else { return nil }
        return value["kind"]?.string == "Status" ? nil : value
    }

    private mutating func describe(
        _ change: inout AuditChange,
        _ target: AuditTarget,
        before: ObjectValue?,
        answered: ObjectValue?,
        sent: ObjectValue?
    ) {
        let comparison: ObjectComparison
        switch change.event.verb {
        case "create" where target.subresource == "binding":
            guard let node = sent?["target"]?["name"]?.string else { return }
            change.basis = .sent
            change.changes = [ObjectChange(path: "node", before: nil, after: node)]
            // The pod gets the labels of its binding.
            let labels: ObjectValue.Members = ["labels": sent?["metadata"]?["labels"] ?? .null]
            change.changes += ObjectComparison(.null, .object(["metadata": .object(labels)])).changes
            return
        case _ where change.event.isCreation:
            // The body of a patch may be a list of operations.
            guard let object = answered ?? (change.event.verb == "patch" ? nil : sent) else { return }
            comparison = Self.description(of: object, target)
            change.basis = .compared
        case "delete" where !change.remaining.isEmpty: return
        case _ where change.event.verb == "delete" || change.isRemoval:
            guard let before, AuditResource.role(of: target) == .policy else { return }
            change.basis = .compared
            comparison = ObjectComparison(before, .object([:]))
        default:
            let after = answered ?? (change.event.verb == "update" ? sent : nil)
            if let before, let after, isComparable(before, after) {
                comparison = ObjectComparison(before, after)
                change.basis = .compared
            } else if let sent, change.event.verb == "patch" {
                comparison = ObjectComparison(patch: sent)
                change.basis = .sent
            } else {
                return
            }
        }
        change.changes = comparison.changes
        change.omitted = comparison.omitted
    }

    /// Describes a new object: all members of a policy or a service, the labels of other objects.
    private static func description(of object: ObjectValue, _ target: AuditTarget) -> ObjectComparison {
        if isDescribed(target) { return ObjectComparison(.object([:]), object) }
        let labels = object["metadata"]?["labels"] ?? .object([:])
        return ObjectComparison(.object([:]), .object(["metadata": .object(["labels": labels])]))
    }

    /// Whether all members of a new object are described.
    private static func isDescribed(_ target: AuditTarget) -> Bool {
        switch AuditResource.role(of: target) {
        case .policy, .service: true
        case .selected: target.resource.hasSuffix("networksets")
        case .other: false
        }
    }

    /// Whether the response to a request for a subresource is the whole object.
    private static func isWhole(_ target: AuditTarget) -> Bool {
        ["", "status", "ephemeralcontainers", "finalize", "resize"].contains(target.subresource)
    }

    private mutating func keep(
        _ key: ObjectHistory.Key,
        _ event: AuditEvent,
        before: ObjectValue?,
        answered: ObjectValue?,
        _ outline: ObjectOutline?,
        _ bytes: Span<UInt8>
    ) {
        guard event.target.map(Self.isWhole) == true else { return }
        guard let answered, let place = event.responseObject else {
            // The log does not contain the object after the request. The object in the request lacks the server's
            // defaults.
            history.remove(key)
            return
        }
        if event.verb == "delete", answered["metadata"]?["deletionTimestamp"] == nil {
            history.remove(key)
        } else if let before, isOlder(answered, than: before) {
            disordered += 1
        } else {
            history.set(key, bytes, place, outline)
        }
    }

    /// Whether a state is older than another one that came earlier in the log.
    private func isOlder(_ state: ObjectValue, than other: ObjectValue) -> Bool {
        guard let metadata = state["metadata"], let otherMetadata = other["metadata"],
            let version = metadata["resourceVersion"]?.string.flatMap(UInt64.init),
            let otherVersion = otherMetadata["resourceVersion"]?.string.flatMap(UInt64.init), version < otherVersion
        else { return false }
        return metadata["uid"] == otherMetadata["uid"]
    }

    // MARK: - Several objects

    private mutating func deleteCollection(
        _ change: inout AuditChange,
        _ target: AuditTarget,
        _ bytes: Span<UInt8>
    ) {
        guard let place = change.event.responseObject, change.outcome == .done || change.outcome == .dryRun else {
            return
        }
        var reader = JSONReader(bytes.extracting(place))
        let items = (try? Self.items(&reader)) ?? []
        change.names = items.map(\.name)
        guard change.outcome == .done else { return }
        for item in items where !item.finalizers.isEmpty {
            change.remaining.append(item.name)
            for finalizer in item.finalizers where !change.finalizers.contains(finalizer) {
                change.finalizers.append(finalizer)
            }
        }
        for item in items where item.finalizers.isEmpty { history.remove(ObjectHistory.Key(target, name: item.name)) }
    }

    /// An object of a list.
    private struct Item {
        var name: String
        var finalizers: [String] = []
    }

    /// Reads the objects of a list, at most 10,000.
    private static func items(_ reader: inout JSONReader) throws(JSONError) -> [Item] {
        var items: [Item] = []
        guard try reader.enterObject() else { return [] }
        while let key = try reader.nextKey() {
            guard "items" ~= key else {
                try reader.skip()
                continue
            }
            guard try reader.enterArray() else { continue }
            while try reader.nextElement() {
                if let item = try Self.item(&reader), items.count < 10_000 { items.append(item) }
            }
        }
        return items
    }

    private static func item(_ reader: inout JSONReader) throws(JSONError) -> Item? {
        var name: String?
        var finalizers: [String] = []
        guard try reader.enterObject() else { return nil }
        while let key = try reader.nextKey() {
            guard "metadata" ~= key else {
                try reader.skip()
                continue
            }
            guard try reader.enterObject() else { continue }
            while let key = try reader.nextKey() {
                switch key {
                case "name": name = try reader.string()
                case "finalizers":
                    guard try reader.enterArray() else { continue }
                    while try reader.nextElement() {
                        guard let text = try reader.string(), finalizers.count < 16 else { continue }
                        finalizers.append(text)
                    }
                default: try reader.skip()
                }
            }
        }
        return name.map { Item(name: $0, finalizers: finalizers) }
    }
}
