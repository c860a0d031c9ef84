import ArgumentParser
import FlowModel
import Query
import Records

/// The grouping of the lines of `weir top`.
enum TopView: String, ExpressibleByArgument, CaseIterable {
    case pairs, pods, services, namespaces, ports, denied, policies

    /// The names that the query groups by.
    var groupBy: [GroupName] {
        switch self {
        case .pairs: [.end(.source), .end(.destination), .port]
        case .pods: [.end(.source)]
        case .services: [.field(.destServiceNamespace), .field(.destServiceName)]
        case .namespaces: [.field(.sourceNamespace), .field(.destNamespace)]
        case .ports: [.port]
        case .denied: [.end(.source), .end(.destination), .port, .rule(isPending: false)]
        case .policies: [.rule(isPending: false)]
        }
    }

    /// The names of the columns.
    var titles: [String] {
        switch self {
        case .pairs: ["SOURCE", "DESTINATION", "PORT"]
        case .pods: ["SOURCE"]
        case .services: ["NAMESPACE", "SERVICE"]
        case .namespaces: ["FROM", "TO"]
        case .ports: ["PORT"]
        case .denied: ["SOURCE", "DESTINATION", "PORT", "RULE"]
        case .policies: ["RULE"]
        }
    }

    /// The next grouping.
    var next: TopView {
        let all = Self.allCases
        return all[((all.firstIndex(of: self) ?? 0) + 1) % all.count]
    }
}

/// The measure that orders the lines of `weir top`.
enum TopMeasure: String, ExpressibleByArgument, CaseIterable {
    case connections, bytes, packets, denied

    /// The index in ``sums``.
    var place: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    /// All measures, in the order of the columns.
    static let sums = [
        Measure(.connections), Measure(.bytes, includesForwarded: true), Measure(.packets, includesForwarded: true),
        Measure(.connections, .deny),
    ]

    /// The names of the columns.
    static let titles = ["CONN", "BYTES", "PACKETS", "DENIED"]

    /// The next measure.
    var next: TopMeasure { Self.allCases[(place + 1) % Self.allCases.count] }
}
