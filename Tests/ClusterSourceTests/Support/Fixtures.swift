import Foundation
import Synchronization
import Testing

@testable import ClusterSource

/// Text recorded from a kube-apiserver 1.36.
func fixture(_ name: String) throws -> String {
    String(decoding: try fixtureBytes(name), as: UTF8.self)
}

/// Bytes recorded from a kube-apiserver 1.36.
func fixtureBytes(_ name: String) throws -> [UInt8] {
    let url = try #require(Bundle.module.url(forResource: "Fixtures/kubernetes/\(name)", withExtension: nil))
    return Array(try Data(contentsOf: url))
}

/// Counts from several threads.
final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    /// Adds one, and returns the sum.
    @discardableResult
    func add() -> Int {
        count.withLock {
            $0 += 1
            return $0
        }
    }
}
