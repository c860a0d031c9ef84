/// The reason why the store cannot be used.
package enum StoreError: Error, Hashable, CustomStringConvertible {
    /// The stored data cannot be read.
    case corrupt(String)
    /// The system or SQLite reports an error.
    case unavailable(String)
    /// A newer version of Weir wrote it.
    case newer(version: Int)
    /// Another process is writing the store.
    case isLocked(path: String)

    /// The failure and the remedy.
    package var description: String {
        switch self {
        case .corrupt(let reason): "the store is damaged: \(reason)"
        case .unavailable(let reason): "the store cannot be used: \(reason)"
        case .newer(let version):
            "the store is of version \(version), which this version of Weir cannot read; use a newer one, or another file"
        case .isLocked(let path): "the store \(path) is being written by another process; choose another file"
        }
    }
}
