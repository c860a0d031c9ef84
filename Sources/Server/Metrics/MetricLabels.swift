/// The labels of a sample, which are escaped once for many samples.
package struct MetricLabels: Sendable, Hashable {
    /// `name="value",name="value"`, without braces.
    let bytes: [UInt8]

    /// The maximum length of a value, in characters; a longer one is truncated and ends in `…`.
    package static let longestValue = 256

    /// No labels.
    package static let none = MetricLabels([:])

    /// Takes names and values; characters of names that are not ASCII letters, digits or underscores become underscores.
    package init(_ pairs: KeyValuePairs<String, String>) {
        self.init(pairs.map { ($0.key, $0.value) })
    }

    /// Does the same as ``init(_:)``, with an array.
    init(_ pairs: [(String, String)]) {
        var bytes: [UInt8] = []
        for (name, value) in pairs {
            if !bytes.isEmpty { bytes.append(0x2c) }
            bytes.append(contentsOf: MetricName.sanitized(label: name).utf8)
            bytes.append(0x3d)
            bytes.append(0x22)
            Self.escape(value, into: &bytes)
            bytes.append(0x22)
        }
        self.bytes = bytes
    }

    private static func escape(_ value: String, into bytes: inout [UInt8]) {
        let isLong = value.utf8.count > longestValue && value.count > longestValue
        for byte in (isLong ? value.prefix(longestValue) + "…" : value[...]).utf8 {
            switch byte {
            case 0x22: bytes.append(contentsOf: [0x5c, 0x22])
            case 0x5c: bytes.append(contentsOf: [0x5c, 0x5c])
            case 0x0a: bytes.append(contentsOf: [0x5c, 0x6e])
            case 0x00..<0x20, 0x7f: bytes.append(0x3f)
            default: bytes.append(byte)
            }
        }
    }
}

/// Makes names that Prometheus accepts.
enum MetricName {
    /// Makes the name of a metric: letters, digits, underscores and colons, without a leading digit; other characters become
    /// underscores.
    static func sanitized(metric name: String) -> String {
        sanitized(name, allowsColon: true)
    }

    /// Makes the name of a label.
    static func sanitized(label name: String) -> String {
        sanitized(name, allowsColon: false)
    }

    private static func sanitized(_ name: String, allowsColon: Bool) -> String {
        var bytes = name.utf8.prefix(200).map { byte -> UInt8 in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f: byte
            case 0x3a where allowsColon: byte
            default: 0x5f
            }
        }
        if bytes.first.map({ (0x30...0x39).contains($0) }) ?? true { bytes.insert(0x5f, at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
