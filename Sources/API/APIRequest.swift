import Filter
import Query
import Records
import Store

/// The path and parameters of a request, decoded.
package struct APIRequest: Sendable {
    /// The path after `/api/v1/`.
    package var name: String
    /// The parameters; the last value of a repeated parameter is used.
    package var parameters: [String: String]
    /// The current time, Unix seconds.
    package var now: Int64

    /// Takes all members.
    package init(name: String, parameters: [String: String], now: Int64) {
        (self.name, self.parameters, self.now) = (name, parameters, now)
    }

    /// Rejects parameters that the operation does not have.
    func allow(_ operation: APIOperation) throws(APIError) {
        let names = operation.parameters.map(\.name)
        guard let unknown = parameters.keys.sorted().first(where: { !names.contains($0) }) else { return }
        let others = names.isEmpty ? "there is none" : "there are \(names.sorted().joined(separator: ", "))"
        throw APIError(400, "unknown_parameter", unknown, "no such parameter; \(others)")
    }

    /// The requested range of time.
    func range(default span: Int64 = 900) throws(APIError) -> (since: Int64, until: Int64) {
        let until = try time("until") ?? now
        let since = try time("since") ?? max(0, until - span)
        guard since < until else {
            throw APIError(400, "bad_parameter", "since", "the range is empty: since is \(since), until \(until)")
        }
        return (since, until)
    }

    private func time(_ name: String) throws(APIError) -> Int64? {
        guard let text = parameters[name], !text.isEmpty else { return nil }
        guard let time = TimePoint.parse(text, now: now) else {
            throw APIError(400, "bad_parameter", name, "\(TimePoint.forms) is needed")
        }
        return time
    }

    /// The requested filter.
    func filter() throws(APIError) -> Filter {
        do throws(FilterError) {
            return try Filter(parameters["filter"] ?? "")
        } catch {
            var refusal = APIError(400, "bad_filter", "filter", error.reason)
            refusal.offset = error.position
            refusal.length = 1
            throw refusal
        }
    }

    /// Returns the integer of an operation's parameter.
    func number(_ name: String, of operation: APIOperation) throws(APIError) -> Int {
        guard case .numbers(let usual, let limit) = operation.values(name) else { return 0 }
        return try number(name, default: usual, upTo: limit)
    }

    /// Returns an integer parameter within limits.
    func number(_ name: String, default value: Int, upTo limit: Int) throws(APIError) -> Int {
        guard let text = parameters[name], !text.isEmpty else { return value }
        guard let number = Int(text), 1...limit ~= number else {
            throw APIError(400, "bad_parameter", name, "a number from 1 to \(limit) is needed")
        }
        return number
    }

    /// Returns the last record of the previous page; nil for the first page.
    func cursor() throws(APIError) -> StoredRecordID? {
        guard let text = parameters["cursor"], !text.isEmpty else { return nil }
        guard let cursor = StoredRecordID(text) else {
            throw APIError(400, "bad_parameter", "cursor", "this is no cursor of an earlier answer")
        }
        return cursor
    }

    /// Returns the word of an operation's parameter, which must be one of its allowed words.
    func word(_ name: String, of operation: APIOperation) throws(APIError) -> String {
        guard case .words(let words) = operation.values(name) else { return "" }
        guard let text = parameters[name], !text.isEmpty else { return words[0] }
        guard words.contains(text) else {
            throw APIError(400, "bad_parameter", name, "one of \(words.joined(separator: ", ")) is needed")
        }
        return text
    }
}

extension APIOperation {
    /// Returns the allowed values of a parameter.
    fileprivate func values(_ name: String) -> APIParameter.Values? {
        let found = parameters.first { $0.name == name }
        assert(found != nil, "\(self.name) has no parameter \(name)")
        return found?.values
    }
}

/// The reason why a request fails.
package struct APIError: Error, Sendable, Encodable {
    /// The HTTP status.
    package let status: Int
    /// The error code, for programs.
    package let code: String
    /// The invalid parameter, if the error concerns one.
    package let parameter: String?
    /// The message, for people.
    package let message: String
    /// The start of the error in the filter, bytes.
    package var offset: Int?
    /// The length of the error in the filter, bytes.
    package var length: Int?

    /// Takes the parts of the error.
    package init(_ status: Int, _ code: String, _ parameter: String?, _ message: String) {
        (self.status, self.code, self.parameter, self.message) = (status, code, parameter, message)
    }

    private enum CodingKeys: String, CodingKey {
        case code, parameter, message, offset, length
    }
}

/// A response.
package struct APIAnswer: Sendable {
    /// The HTTP status.
    package var status: Int
    /// `Content-Type`.
    package var type: String
    /// The body.
    package var body: [UInt8]

    /// Takes all members.
    package init(status: Int = 200, type: String = "application/json", body: [UInt8]) {
        (self.status, self.type, self.body) = (status, type, body)
    }
}
