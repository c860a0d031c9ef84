import FlowModel

extension Endpoint: TextSource {
    var textNumber: UInt64 { id }

    /// The full name, the aggregated name and the namespace; the kind is the short value.
    func render(into bytes: inout ByteBuffer, _ limits: RecordLimits) -> CachedText {
        var isShortened = false
        return CachedText(
            bytes.appendedName(kind == .network ? "-" : name, &isShortened),
            bytes.appendedName(aggregatedName, &isShortened),
            bytes.appendedName(namespace ?? "-", &isShortened),
            short: ShortText("\"\(kind.rawValue)\""),
            isShortened: isShortened
        )
    }
}

extension LabelSet: TextSource {
    var textNumber: UInt64 { id }

    /// The value of the format's label fields, all in the first part.
    ///
    /// Labels that do not fit are left out; an additional label contains their number.
    func render(into bytes: inout ByteBuffer, _ limits: RecordLimits) -> CachedText {
        let begin = bytes.count
        bytes.append("{\"labels\":[")
        let omitted = bytes.appendElements(labels, limit: limits.labelBytes)
        if omitted > 0 {
            if omitted < labels.count { bytes.append(UInt8(ascii: ",")) }
            bytes.appendJSON("\(RecordLimits.omittedLabelsKey)=\(omitted)")
        }
        bytes.append("]}")
        return CachedText(bytes.count - begin, isShortened: omitted > 0)
    }
}

extension PolicyTrace: TextSource {
    var textNumber: UInt64 { id }

    /// The two halves of the format's policies object: the enforced hits, then the pending hits and the hits of forwarded
    /// traffic.
    ///
    /// A trace of forwarded traffic has the third list even if it is empty. The halves in a record may be from different
    /// traces.
    func render(into bytes: inout ByteBuffer, _ limits: RecordLimits) -> CachedText {
        let begin = bytes.count
        bytes.append("{\"enforced_policies\":")
        var omitted = bytes.appendHits(enforced, limit: RecordLimits.policyBytes)
        let end = bytes.count
        bytes.append(",\"pending_policies\":")
        omitted += bytes.appendHits(pending, limit: RecordLimits.policyBytes)
        if isForwarded {
            bytes.append(",\"transit_policies\":")
            omitted += bytes.appendHits(transit, limit: RecordLimits.policyBytes)
        }
        bytes.append(UInt8(ascii: "}"))
        return CachedText(end - begin, bytes.count - end, isShortened: omitted > 0)
    }
}

extension ServicePort: TextSource {
    var textNumber: UInt64 { id }

    /// All fields of a service with their keys, separated by commas; the second part has no port name.
    func render(into bytes: inout ByteBuffer, _ limits: RecordLimits) -> CachedText {
        let begin = bytes.count
        let isShortened = bytes.appendService(namespace, name, portName ?? "-", port)
        let end = bytes.count
        _ = bytes.appendService(namespace, name, "-", port)
        return CachedText(end - begin, bytes.count - end, isShortened: isShortened)
    }

    /// The text for an unknown service.
    static let noneText: [UInt8] = {
        var bytes = ByteBuffer()
        _ = bytes.appendService("-", "-", "-", 0)
        return bytes.take()
    }()
}

extension FlowProcess: TextSource {
    var textNumber: UInt64 { number }

    /// The name, and the list of the arguments, which is empty if they are not known.
    func render(into bytes: inout ByteBuffer, _ limits: RecordLimits) -> CachedText {
        let begin = bytes.count
        _ = bytes.appendJSON(name.text, limit: RecordLimits.nameBytes)
        let end = bytes.count
        if let arguments { bytes.appendList([arguments], limit: RecordLimits.argumentBytes) }
        return CachedText(end - begin, bytes.count - end)
    }
}

extension ByteBuffer {
    /// Appends the fields of a service; returns whether a name was truncated.
    fileprivate mutating func appendService(
        _ namespace: String,
        _ name: String,
        _ portName: String,
        _ port: UInt16
    ) -> Bool {
        var isShortened = false
        for (field, text) in [
            (FlowField.destServiceNamespace, namespace), (.destServiceName, name), (.destServicePort, portName),
        ] {
            appendKey(of: field)
            _ = appendedName(text, &isShortened)
            append(UInt8(ascii: ","))
        }
        appendKey(of: .destServicePortNum)
        append(port == 0 ? "null" : String(port))
        return isShortened
    }

    private mutating func appendKey(of field: FlowField) {
        appendJSON(field.description.name)
        append(UInt8(ascii: ":"))
    }
}

extension ByteBuffer {
    /// Appends a name as a JSON string and returns the number of its bytes.
    fileprivate mutating func appendedName(_ text: String, _ isShortened: inout Bool) -> Int {
        let begin = count
        if appendJSON(text, limit: RecordLimits.nameBytes) { isShortened = true }
        return count - begin
    }
}
