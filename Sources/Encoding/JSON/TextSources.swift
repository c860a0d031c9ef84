import FlowModel

extension Endpoint: TextSource {
    /// The full name, the aggregated name and the namespace; the kind is the short value.
    func render(into bytes: inout ByteBuffer) -> CachedText {
        CachedText(
            bytes.appendedJSON(kind == .network ? "-" : name),
            bytes.appendedJSON(aggregatedName),
            bytes.appendedJSON(namespace ?? "-"),
            short: ShortText("\"\(kind.rawValue)\"")
        )
    }
}

extension LabelSet: TextSource {
    /// The object of the format's label fields, all in the first part.
    func render(into bytes: inout ByteBuffer) -> CachedText {
        let begin = bytes.count
        bytes.append("{\"labels\":")
        bytes.appendJSON(labels)
        bytes.append(UInt8(ascii: "}"))
        return CachedText(bytes.count - begin)
    }
}

extension PolicyTrace: TextSource {
    /// The enforced hits and the pending hits, each with its key: the beginning and the end of the format's object.
    ///
    /// The two halves of a record's object may be of different traces.
    func render(into bytes: inout ByteBuffer) -> CachedText {
        let begin = bytes.count
        bytes.append("{\"enforced_policies\":")
        bytes.appendJSON(enforced)
        let end = bytes.count
        bytes.append(",\"pending_policies\":")
        bytes.appendJSON(pending)
        bytes.append(UInt8(ascii: "}"))
        return CachedText(end - begin, bytes.count - end)
    }
}

extension ServicePort: TextSource {
    /// All fields of a service with their keys, separated by commas; in the second part without the name of the port.
    func render(into bytes: inout ByteBuffer) -> CachedText {
        let begin = bytes.count
        bytes.appendService(namespace, name, portName ?? "-", port)
        let end = bytes.count
        bytes.appendService(namespace, name, "-", port)
        return CachedText(end - begin, bytes.count - end)
    }

    /// The same where no service is known.
    static let noneText: [UInt8] = {
        var bytes = ByteBuffer()
        bytes.appendService("-", "-", "-", 0)
        return bytes.take()
    }()
}

extension ByteBuffer {
    fileprivate mutating func appendService(_ namespace: String, _ name: String, _ portName: String, _ port: UInt16) {
        for (field, text) in [(FlowField.destServiceNamespace, namespace), (.destServiceName, name)] {
            appendKey(of: field)
            appendJSON(text)
            append(UInt8(ascii: ","))
        }
        appendKey(of: .destServicePort)
        appendJSON(portName)
        append(UInt8(ascii: ","))
        appendKey(of: .destServicePortNum)
        append(port == 0 ? "null" : String(port))
    }

    private mutating func appendKey(of field: FlowField) {
        appendJSON(field.description.name)
        append(UInt8(ascii: ":"))
    }
}

extension ByteBuffer {
    /// Appends a text as a JSON string and returns how many bytes that took.
    fileprivate mutating func appendedJSON(_ text: String) -> Int {
        let begin = count
        appendJSON(text)
        return count - begin
    }
}
