import ClusterModel
import FlowModel
import Synchronization

/// A policy with the position of its tier.
struct ScopedPolicy: Sendable {
    /// The policy.
    var policy: CompiledPolicy
    /// The index of its tier in ``TierOrder/tiers``.
    var tier: Int

    /// Whether a policy is evaluated before another.
    static func precedes(_ left: ScopedPolicy, _ right: ScopedPolicy) -> Bool {
        if left.tier != right.tier { return left.tier < right.tier }
        if left.policy.order != right.policy.order { return left.policy.order < right.policy.order }
        let (one, other) = (left.policy.tieBreaker, right.policy.tieBreaker)
        return one != other ? one < other : left.policy.number < right.policy.number
    }
}

/// The policies of a namespace, or all global policies, in order.
///
/// Immutable; a changed scope is a new object.
final class PolicyScope: Sendable {
    /// A number that is unique among all scopes of this process.
    let number = VersionNumber.next()
    /// The policies in order.
    let policies: [ScopedPolicy]
    /// Whether a rule has domain names.
    let usesDomains: Bool
    /// Whether a policy that is not staged governs traffic that host endpoints forward.
    let governsForwarded: Bool

    /// Takes policies; policies of tiers that do not exist are left out, because they are not enforced.
    init(_ policies: some Sequence<CompiledPolicy>, _ tiers: TierOrder) {
        var members: [ScopedPolicy] = []
        for policy in policies {
            if let tier = tiers.place(of: policy.tier) { members.append(ScopedPolicy(policy: policy, tier: tier)) }
        }
        self.policies = members.sorted(by: ScopedPolicy.precedes)
        usesDomains = members.contains { $0.policy.usesDomains }
        governsForwarded = members.contains { $0.policy.hooks != [.end] && !$0.policy.isStaged }
    }
}

/// All tiers in order.
///
/// Immutable.
final class TierOrder: Sendable {
    /// A tier.
    struct Entry: Sendable {
        /// The name of the tier.
        var name: String
        /// The order, lowest first; infinite for the last.
        var order: Double
        /// The action for connections that no policy of the tier decides.
        var defaultAction: Tier.DefaultAction
    }

    /// A number that is unique among all tier orders of this process.
    let number = VersionNumber.next()
    /// The tiers in order.
    let tiers: [Entry]
    private let places: [String: Int]

    /// Merges the built-in tiers and those of objects.
    init(_ objects: some Sequence<Tier>) {
        var entries: [String: Entry] = [:]
        for tier in BuiltInTier.all {
            entries[tier.name] = Entry(name: tier.name, order: tier.order, defaultAction: tier.defaultAction)
        }
        for tier in objects {
            let name = tier.metadata.name
            let order = tier.order ?? entries[name]?.order ?? .infinity
            entries[name] = Entry(name: name, order: order, defaultAction: tier.defaultAction)
        }
        tiers = entries.values.sorted { ($0.order, $0.name) < ($1.order, $1.name) }
        places = Dictionary(uniqueKeysWithValues: tiers.enumerated().map { ($1.name, $0) })
    }

    /// The index of a tier; nil if it does not exist.
    func place(of name: String) -> Int? { places[name] }
}

/// Labels that all endpoints of a namespace or service account inherit, with a key prefix.
///
/// Immutable.
final class InheritedLabels: Sendable {
    /// A number that is unique among all versions.
    let number = VersionNumber.next()
    /// The labels.
    let labels: [Label]

    /// Takes the labels of a namespace or service account, and adds its name.
    init(prefix: String, name: String, labels: [Label]) {
        let own = labels.filter { $0.key != CalicoLabel.name }
        self.labels = (own + [Label(key: CalicoLabel.name, value: name)]).map {
            Label(key: prefix + $0.key, value: $0.value)
        }
    }
}

/// Numbers that distinguish versions.
enum VersionNumber {
    private static let last = Atomic<UInt64>(0)

    /// A number that is unique in this process; callable from any thread.
    ///
    /// Never 0.
    static func next() -> UInt64 {
        last.add(1, ordering: .relaxed).newValue
    }
}
