import ClusterModel

extension AuditEvent {
    /// Reads an event from its line.
    ///
    /// - Parameters:
    ///   - bytes: the buffer that contains the line.
    ///   - line: the range of the line in the buffer; the places of the event's objects refer to the same buffer.
    /// - Throws: the reason why the line is not an event, and the place.
    package init(in bytes: Span<UInt8>, _ line: Range<Int>) throws(AuditError) {
        self.init(at: try AuditPlaces(in: bytes, line), in: bytes)
    }

    /// Reads an event from the places of its members.
    ///
    /// - Parameters:
    ///   - places: the places of the members.
    ///   - bytes: the buffer that contains the line.
    ///   - isBrief: whether to leave out members that changes do not require: ``requestURI``, groups, ``sourceIPs``,
    ///     ``userAgent`` and ``authorization``.
    package init(at places: AuditPlaces, in bytes: Span<UInt8>, isBrief: Bool = false) {
        self.init()
        func text(_ member: AuditPlaces.Member) -> String {
            places[member].flatMap { Self.text(at: $0, in: bytes) } ?? ""
        }
        level =
            places.word(.level, AuditLevel.requestResponse, in: bytes) ?? AuditLevel(rawValue: text(.level)) ?? level
        auditID = text(.auditID)
        stage =
            places.word(.stage, AuditStage.responseComplete, in: bytes) ?? AuditStage(rawValue: text(.stage)) ?? stage
        verb = text(.verb)
        user = Self.user(at: places[.user], in: bytes, isBrief) ?? user
        impersonated = Self.user(at: places[.impersonatedUser], in: bytes, isBrief)
        target = Self.target(at: places[.objectRef], in: bytes)
        status = Self.status(at: places[.responseStatus], in: bytes)
        receivedAt = Self.time(at: places[.requestReceivedTimestamp], in: bytes)
        time = Self.time(at: places[.stageTimestamp], in: bytes)
        if !isBrief {
            requestURI = text(.requestURI)
            sourceIPs = places[.sourceIPs].map { Self.texts(at: $0, in: bytes, limit: 16) } ?? []
            userAgent = text(.userAgent)
            authorization = Self.authorization(at: places[.annotations], in: bytes)
        }
        isDryRun = isDryRun(at: places, in: bytes)
        guard !isSecret else { return }
        requestObject = places[.requestObject]
        responseObject = places[.responseObject]
    }

    // MARK: - Values

    /// Returns a text value, truncated to the limit; nil for other values.
    static func text(at place: Range<Int>, in bytes: Span<UInt8>) -> String? {
        var reader = JSONReader(bytes.extracting(place))
        return text(&reader)
    }

    private static func text(_ reader: inout JSONReader) -> String? {
        guard let text = try? reader.text() else { return nil }
        guard text.bytes.count > textLimit else { return text.string }
        // The cut must not be within an escape, which has at most six bytes: the escape is left out, with backslashes before
        // it.
        var end = textLimit
        if let back = (1...5).first(where: { text.bytes[textLimit - $0] == UInt8(ascii: "\\") }) {
            end -= back
            while end > 0, text.bytes[end - 1] == UInt8(ascii: "\\") { end -= 1 }
        }
        return text.prefix(end) + "…"
    }

    private static func texts(at place: Range<Int>, in bytes: Span<UInt8>, limit: Int) -> [String] {
        var reader = JSONReader(bytes.extracting(place))
        return texts(&reader, limit: limit)
    }

    private static func texts(_ reader: inout JSONReader, limit: Int) -> [String] {
        var texts: [String] = []
        guard (try? reader.enterArray()) == true else { return texts }
        while (try? reader.nextElement()) == true {
            guard texts.count < limit else {
                guard (try? reader.skip()) != nil else { return texts }
                continue
            }
            if let text = text(&reader) { texts.append(text) }
        }
        return texts
    }

    private static func user(at place: Range<Int>?, in bytes: Span<UInt8>, _ isBrief: Bool) -> AuditUser? {
        guard let place else { return nil }
        var user = AuditUser(name: "", groups: [])
        var reader = JSONReader(bytes.extracting(place))
        guard (try? reader.enterObject()) == true else { return nil }
        while let key = try? reader.nextKey() {
            switch key {
            case "username": user.name = text(&reader) ?? ""
            case "groups" where !isBrief: user.groups = texts(&reader, limit: 64)
            default: guard (try? reader.skip()) != nil else { return user }
            }
        }
        return user
    }

    private static func target(at place: Range<Int>?, in bytes: Span<UInt8>) -> AuditTarget? {
        guard let place else { return nil }
        var target = AuditTarget()
        var reader = JSONReader(bytes.extracting(place))
        guard (try? reader.enterObject()) == true else { return nil }
        while let key = try? reader.nextKey() {
            switch key {
            case "resource": target.resource = text(&reader) ?? ""
            case "apiGroup": target.group = text(&reader) ?? ""
            case "apiVersion": target.version = text(&reader) ?? ""
            case "namespace": target.namespace = text(&reader) ?? ""
            case "name": target.name = text(&reader) ?? ""
            case "subresource": target.subresource = text(&reader) ?? ""
            default: guard (try? reader.skip()) != nil else { return target }
            }
        }
        return target
    }

    private static func status(at place: Range<Int>?, in bytes: Span<UInt8>) -> AuditStatus? {
        guard let place else { return nil }
        var status = AuditStatus()
        var reader = JSONReader(bytes.extracting(place))
        guard (try? reader.enterObject()) == true else { return nil }
        while let key = try? reader.nextKey() {
            switch key {
            case "reason": status.reason = text(&reader) ?? ""
            case "message": status.message = text(&reader) ?? ""
            case "code":
                let start = reader.offset
                guard (try? reader.skip()) != nil else { return status }
                status.code = number(reader.bytes.extracting(start..<reader.offset))
            default: guard (try? reader.skip()) != nil else { return status }
            }
        }
        return status
    }

    private static func number(_ digits: Span<UInt8>) -> Int {
        var number = 0
        for index in digits.indices {
            guard 0x30...0x39 ~= digits[index], number < 1000 else { return 0 }
            number = number * 10 + Int(digits[index] - 0x30)
        }
        return number
    }

    private static func authorization(at place: Range<Int>?, in bytes: Span<UInt8>) -> (String, String) {
        var decision = ""
        var reason = ""
        guard let place else { return (decision, reason) }
        var reader = JSONReader(bytes.extracting(place))
        guard (try? reader.enterObject()) == true else { return (decision, reason) }
        while let key = try? reader.nextKey() {
            switch key {
            case "authorization.k8s.io/decision": decision = text(&reader) ?? ""
            case "authorization.k8s.io/reason": reason = text(&reader) ?? ""
            default: guard (try? reader.skip()) != nil else { return (decision, reason) }
            }
        }
        return (decision, reason)
    }

    /// Parses a time (RFC 3339 with a fraction), Unix time in µs; 0 for other values.
    static func time(at place: Range<Int>?, in bytes: Span<UInt8>) -> Int64 {
        guard let place else { return 0 }
        var reader = JSONReader(bytes.extracting(place))
        guard let text = try? reader.text(), let seconds = text.time else { return 0 }
        var fraction: Int64 = 0
        var scale: Int64 = 100_000
        if text.bytes.count > 20, text.bytes[19] == UInt8(ascii: ".") {
            var index = 20
            while index < text.bytes.count, 0x30...0x39 ~= text.bytes[index] {
                fraction += Int64(text.bytes[index] - 0x30) * scale
                scale /= 10
                index += 1
            }
        }
        let (product, over) = seconds.multipliedReportingOverflow(by: 1_000_000)
        return over ? 0 : product + fraction
    }
}

extension JSONText {
    /// Decodes the first bytes, which must not end within an escape.
    fileprivate func prefix(_ count: Int) -> String {
        // The bytes are read as a text of their own, which decodes escapes.
        let quoted = [UInt8(ascii: "\"")] + (0..<count).map { bytes[$0] } + [UInt8(ascii: "\"")]
        var reader = JSONReader(quoted.span)
        return (try? reader.string()) ?? ""
    }
}
