/// Types of records that this module uses (IANA, Domain Name System Parameters).
package enum DNSType {
    /// An IPv4 address.
    package static let a: UInt16 = 1
    /// A name server of a zone.
    package static let ns: UInt16 = 2
    /// The canonical name of an alias.
    package static let cname: UInt16 = 5
    /// The name that belongs to an address.
    package static let ptr: UInt16 = 12
    /// A mail server.
    package static let mx: UInt16 = 15
    /// Text.
    package static let txt: UInt16 = 16
    /// An IPv6 address.
    package static let aaaa: UInt16 = 28
    /// The location of a service.
    package static let srv: UInt16 = 33
    /// The options of EDNS, a pseudo-record.
    package static let opt: UInt16 = 41
    /// The alias of a subtree of names.
    package static let dname: UInt16 = 39

    private static let names: [UInt16: String] = [
        1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 28: "AAAA", 29: "LOC",
        33: "SRV", 35: "NAPTR", 39: "DNAME", 41: "OPT", 43: "DS", 44: "SSHFP", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY",
        50: "NSEC3", 52: "TLSA", 64: "SVCB", 65: "HTTPS", 99: "SPF", 251: "IXFR", 252: "AXFR", 255: "ANY", 256: "URI",
        257: "CAA",
    ]

    /// The name of a type; other types are `TYPE` and the number (RFC 3597 section 5).
    package static func name(of type: UInt16) -> String { names[type] ?? "TYPE\(type)" }
}

/// Classes of records.
package enum DNSClass {
    /// The Internet.
    package static let internet: UInt16 = 1

    /// The name of a class; other classes are `CLASS` and the number (RFC 3597 section 5).
    package static func name(of number: UInt16) -> String {
        switch number {
        case 1: "IN"
        case 3: "CH"
        case 4: "HS"
        case 254: "NONE"
        case 255: "ANY"
        default: "CLASS\(number)"
        }
    }
}

/// Response codes.
package enum DNSResponseCode {
    private static let names = [
        "NoError", "FormErr", "ServFail", "NXDomain", "NotImp", "Refused", "YXDomain", "YXRRSet", "NXRRSet", "NotAuth",
        "NotZone", "DSOTYPENI",
    ]
    /// Codes that require EDNS.
    private static let extended: [UInt16: String] = [
        16: "BADVERS", 17: "BADKEY", 18: "BADTIME", 19: "BADMODE", 20: "BADNAME", 21: "BADALG", 22: "BADTRUNC",
        23: "BADCOOKIE",
    ]

    /// The name of a response code; other codes are `RCODE` and the number.
    package static func name(of code: UInt16) -> String {
        Int(code) < names.count ? names[Int(code)] : extended[code] ?? "RCODE\(code)"
    }
}
