import ArgumentParser

/// Log groups of the packet filter, as written by an operator: `5`, or `1,2`.
struct LogGroups {
    let numbers: [UInt16]

    /// Parses the groups.
    init(parsing text: String) throws {
        numbers = try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
            guard word.allSatisfy({ $0.isASCII && $0.isNumber }), let number = UInt16(word) else {
                throw ValidationError("'\(word)' is no log group; groups are numbers from 0 to 65535, as in 5 or 1,2")
            }
            return number
        }
    }
}
