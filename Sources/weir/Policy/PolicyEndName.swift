import ArgumentParser
import FlowModel

/// An end of a connection as somebody writes it: an address, or a pod or service by its name.
enum PolicyEndName {
    /// An address.
    case address(IPAddress)
    /// A pod, or a service if there is no such pod, as `NAMESPACE/NAME`.
    case named(String)
    /// The end of a record: a pod, as `NAMESPACE/POD`, and its address, which counts where there is no such pod any more.
    case recorded(String, IPAddress?)
    /// A service, as `NAMESPACE/NAME`, or as `NAME` in the namespace of the end that begins.
    case service(String)

    /// Reads an address, `NAMESPACE/NAME`, or `svc/NAME` and `svc/NAMESPACE/NAME`.
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
        // A namespace has no dots and colons, so that a range is not taken for a pod.
        let isRange = bytes[..<slash].contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
        guard slash > bytes.startIndex, !isRange, !name.isEmpty, !name.contains(UInt8(ascii: "/")) else {
            throw Self.complaint(text)
        }
        self = .named(text)
    }

    /// What follows on `svc/`, `service/` or `services/`, as `kubectl` has it.
    private static func service(in text: String) -> String? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, ["svc", "service", "services"].contains(first), 2...3 ~= parts.count,
            parts.allSatisfy({ !$0.isEmpty })
        else { return nil }
        return parts.dropFirst().joined(separator: "/")
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
        return PolicyQuestionError(
            description: "'\(text)' is neither NAMESPACE/POD, NAMESPACE/SERVICE nor an address\(hint)"
        )
    }
}
