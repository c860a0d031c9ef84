/// An error response of the API server (`v1` Status, or a plain-text body).
public struct APIStatus: Error, Sendable, Hashable {
    /// A cause of the status (`details.causes`).
    public struct Cause: Sendable, Hashable {
        /// The kind of the cause, as in `ResourceVersionTooLarge`.
        public var reason: String
        /// The message.
        public var message: String
        /// The field of the request or the object that causes the error.
        public var field: String

        /// Takes all members.
        public init(reason: String, message: String = "", field: String = "") {
            self.reason = reason
            self.message = message
            self.field = field
        }
    }

    /// The HTTP status code of the error.
    public var code: Int
    /// The machine-readable reason, as in `Expired`; empty if there is none.
    public var reason: String
    /// The message.
    public var message: String
    /// Seconds to wait before the next attempt (`details.retryAfterSeconds`).
    public var retryAfterSeconds: Int?
    /// A token to continue an expired list, whose items may be inconsistent (`metadata.continue`).
    public var continueToken: String?
    /// The causes.
    public var causes: [Cause]

    /// Takes all members.
    public init(
        code: Int,
        reason: String = "",
        message: String = "",
        retryAfterSeconds: Int? = nil,
        continueToken: String? = nil,
        causes: [Cause] = []
    ) {
        self.code = code
        self.reason = reason
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
        self.continueToken = continueToken
        self.causes = causes
    }

    /// Reads the body of an error response: a Status in JSON, or text.
    ///
    /// - Parameters:
    ///   - httpStatus: the status code of the response.
    ///   - body: the body, or its beginning.
    public init(httpStatus: Int, body: Span<UInt8>) {
        var reader = JSONReader(body)
        if let found = try? reader.status(code: httpStatus), found.kind == "Status" {
            self = found.status
        } else {
            self.init(code: httpStatus, message: Self.text(of: body))
        }
    }

    /// The beginning of a body that is not a Status, on one line.
    private static func text(of body: Span<UInt8>) -> String {
        // The magic number of Kubernetes' protobuf, which some servers send regardless of the requested format.
        let isProtobuf = body.count >= 4 && body[0] == 0x6b && body[1] == 0x38 && body[2] == 0x73 && body[3] == 0
        if isProtobuf { return "a body in protobuf" }
        let head = body.extracting(0..<min(body.count, 300))
        let text = JSONText(head, hasEscapes: false).string
        let words = text.split { $0.isWhitespace || $0.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f } }
        return words.joined(separator: " ")
    }
}

extension APIStatus: CustomStringConvertible {
    /// A text such as `410 Expired: too old resource version: 1 (987)`.
    public var description: String {
        let head = reason.isEmpty ? "\(code)" : "\(code) \(reason)"
        return message.isEmpty ? head : "\(head): \(message)"
    }
}
