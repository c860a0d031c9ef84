import ArgumentParser
import FlowModel

/// An endpoint as a user specifies it: an address, or the name of a pod or service.
enum PolicyEndName: Equatable {
    /// An address.
    case address(IPAddress)
    /// A pod `NAMESPACE/NAME`, or a service if no such pod exists.
    case named(String)
    /// The end of a record: a pod `NAMESPACE/POD`, and its address, which is used if the pod no longer exists.
    case recorded(String, IPAddress?)
    /// A service `NAMESPACE/NAME`, or `NAME` in the namespace of the source.
    case service(String)

    /// Parses an address, `NAMESPACE/NAME`, `svc/NAME`, or `svc/NAMESPACE/NAME`.
    init(_ text: String) throws(PolicyQuestionError) {
        if let service = Self.service(in: text) {
            self = .service(service)
            return
        }
        let bytes = text.utf8
        guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")) else {
            guard let address = IPAddress(text) else { throw Self.complaint(text) }
            self = .address(address)
            return
        }
        let name = bytes[bytes.index(after: slash)...]
        // A namespace contains no dots and colons, so an address range is not parsed as a pod.
        let isRange = bytes[..<slash].contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
        guard slash > bytes.startIndex, !isRange, !name.isEmpty, !name.contains(UInt8(ascii: "/")) else {
            throw Self.complaint(text)
        }
        self = .named(text)
    }

    /// The text after `svc/`, `service/` or `services/`, the prefixes that `kubectl` accepts.
    private static func service(in text: String) -> String? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, ["svc", "service", "services"].contains(first), 2...3 ~= parts.count,
            parts.allSatisfy({ !$0.isEmpty })
        else { return nil }
        return parts.dropFirst().joined(separator: "/")
    }

    /// Parses the text for the argument parser.
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
                "; a range has many addresses; give one"
            } else if text.hasPrefix("[") || text.split(separator: ":").first.flatMap({ IPAddress(String($0)) }) != nil
            {
                "; give the address alone, and the port as its own option"
            } else if parts.count == 1, !text.isEmpty {
                "; a pod needs its namespace: default/\(text)"
            } else {
                ""
            }
        return PolicyQuestionError(
            description: "'\(text)' is neither NAMESPACE/POD, NAMESPACE/SERVICE nor an address\(hint)"
        )
    }
}
