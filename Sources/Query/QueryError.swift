/// The reason why a query fails.
package enum QueryError: Error, Hashable, CustomStringConvertible {
    /// A parameter is invalid or exceeds a limit.
    case invalid(parameter: String, reason: String)
    /// The query exceeds the maximum duration.
    case tooSlow(seconds: Int)

    /// The problem and a remedy.
    package var description: String {
        switch self {
        case .invalid(let parameter, let reason): "\(parameter): \(reason)"
        case .tooSlow(let seconds):
            "the query takes more than \(seconds) s; use a shorter time, or leave out fields of single connections"
        }
    }
}
