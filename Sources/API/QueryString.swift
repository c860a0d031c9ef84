import Foundation

/// Parses the query string of a URL.
package enum QueryString {
    /// The maximum number of parameters, and their maximum total size in bytes.
    private static let limit = (count: 64, bytes: 70 << 10)

    /// Parses `a=1&b=x%20y`; `+` is decoded as a space, as in HTML forms.
    ///
    /// - Throws: `APIError` if the text exceeds a limit or is not URL-encoded.
    package static func parse(_ text: String) throws(APIError) -> [String: String] {
        guard text.utf8.count <= limit.bytes else {
            throw APIError(400, "bad_parameter", nil, "the parameters have more than \(limit.bytes) bytes")
        }
        var parameters: [String: String] = [:]
        for part in text.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decoded(pair[0]), let value = decoded(pair.count > 1 ? pair[1] : "") else {
                throw APIError(400, "bad_parameter", String(pair[0]), "it is not percent-encoded UTF-8")
            }
            parameters[name] = value
            guard parameters.count <= limit.count else {
                throw APIError(400, "bad_parameter", nil, "there are more than \(limit.count) parameters")
            }
        }
        return parameters
    }

    private static func decoded(_ text: Substring) -> String? {
        text.replacing("+", with: " ").removingPercentEncoding
    }
}
