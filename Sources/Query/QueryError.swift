/// Why a query has no answer.
package enum QueryError: Error, Hashable, CustomStringConvertible {
    /// A part of it means nothing, or asks for too much.
    case invalid(parameter: String, reason: String)
    /// It takes longer than it may.
    case tooSlow(seconds: Int)

    /// What is wrong and what helps.
    package var description: String {
        switch self {
        case .invalid(let parameter, let reason): "\(parameter): \(reason)"
        case .tooSlow(let seconds):
            "the query takes more than \(seconds) s; ask for less time, or without fields of single connections"
        }
    }
}
