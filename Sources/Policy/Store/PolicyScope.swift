import ClusterModel
import FlowModel
import Synchronization

/// A policy at its place among those that are in force or staged.
struct ScopedPolicy: Sendable {
    /// The policy.
    var policy: CompiledPolicy
    /// The place of its tier in ``TierOrder/tiers``.
    var tier: Int

    /// Whether a policy comes before another.
    static func precedes(_ left: ScopedPolicy, _ right: ScopedPolicy) -> Bool {
        if left.tier != right.tier { return left.tier < right.tier }
        if left.policy.order != right.policy.order { return left.policy.order < right.policy.order }
        let (one, other) = (left.policy.tieBreaker, right.policy.tieBreaker)
        return one != other ? one < other : left.policy.number < right.policy.number
    }
}

/// The policies of a namespace, or all global ones, in order.
///
/// Immutable; another version is another object.
final class PolicyScope: Sendable {
    /// A number no other scope of this process has or had.
    let number = VersionNumber.next()
    /// The policies in order.
    let policies: [ScopedPolicy]

    /// Policies of tiers that exist; others are not in force.
    init(_ policies: some Sequence<CompiledPolicy>, _ tiers: TierOrder) {
        var members: [ScopedPolicy] = []
        for policy in policies {
            if let tier = tiers.place(of: policy.tier) { members.append(ScopedPolicy(policy: policy, tier: tier)) }
        }
        self.policies = members.sorted(by: ScopedPolicy.precedes)
    }
}

/// All tiers in order.
///
/// Immutable.
final class TierOrder: Sendable {
    /// A tier.
    struct Entry: Sendable {
        /// Its name.
        var name: String
        /// Its place, the lowest first; infinite for the last.
        var order: Double
        /// What happens to what none of its policies decides.
        var defaultAction: Tier.DefaultAction
    }

    /// A number no other order of this process has or had.
    let number = VersionNumber.next()
    /// The tiers in order.
    let tiers: [Entry]
    private let places: [String: Int]

    /// The tiers that are built in, and those of objects.
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

    /// The place of a tier; nil if there is none of that name.
    func place(of name: String) -> Int? { places[name] }
}

/// Labels that every endpoint of a namespace or service account has, with their prefix.
///
/// Immutable.
final class InheritedLabels: Sendable {
    /// A number no other version has or had.
    let number = VersionNumber.next()
    /// The labels.
    let labels: [Label]

    /// Of a namespace or service account with a name and labels of its own.
    init(prefix: String, name: String, labels: [Label]) {
        let own = labels.filter { $0.key != CalicoLabel.name }
        self.labels = (own + [Label(key: CalicoLabel.name, value: name)]).map {
            Label(key: prefix + $0.key, value: $0.value)
        }
    }
}

/// Numbers that tell versions apart.
enum VersionNumber {
    private static let last = Atomic<UInt64>(0)

    /// A number that nobody in this process got before; from any thread.
    ///
    /// Never 0.
    static func next() -> UInt64 {
        last.add(1, ordering: .relaxed).newValue
    }
}
