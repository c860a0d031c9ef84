import ArgumentParser
import FlowModel

/// An end of a connection as somebody writes it: an address, or a pod by namespace and name.
enum PolicyEndName {
    /// An address.
    case address(IPAddress)
    /// A pod, as `NAMESPACE/POD`.
    case pod(String)

    /// Reads an address or `NAMESPACE/POD`.
    init(_ text: String) throws(PolicyQuestionError) {
        let bytes = text.utf8
        guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")) else {
            guard let address = IPAddress(text) else { throw Self.complaint(text) }
            self = .address(address)
            return
        }
        let name = bytes[bytes.index(after: slash)...]
        // A namespace has no dots and colons, so that a range is not taken for a pod.
        let isRange = bytes[..<slash].contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
        guard slash > bytes.startIndex, !isRange, !name.isEmpty, !name.contains(UInt8(ascii: "/")) else {
            throw Self.complaint(text)
        }
        self = .pod(text)
    }

    /// The same for the argument parser.
    static func argument(_ text: String) throws -> PolicyEndName {
        do throws(PolicyQuestionError) {
            return try PolicyEndName(text)
        } catch {
            throw ValidationError(error.description)
        }
    }

    private static func complaint(_ text: String) -> PolicyQuestionError {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let hint =
            if parts.count == 2, IPAddress(String(parts[0])) != nil {
                "; a range has many addresses, and one is asked for"
            } else if text.hasPrefix("[") || text.split(separator: ":").first.flatMap({ IPAddress(String($0)) }) != nil
            {
                "; the address stands alone, and the port is a value of its own"
            } else if parts.count == 1, !text.isEmpty {
                "; a pod needs its namespace: default/\(text)"
            } else {
                ""
            }
        return PolicyQuestionError(description: "'\(text)' is neither NAMESPACE/POD nor an address\(hint)")
    }
}
