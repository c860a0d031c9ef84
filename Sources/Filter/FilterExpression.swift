package import FlowModel

/// A filter as an expression tree, which stores translate to their own queries.
///
/// `!=`, `not in` and the names that stand for both ends are already expanded, so a tree contains only the cases below.
/// Its depth is at most ``Filter/maximumDepth``, so recursion over it is safe.
package indirect enum FilterExpression: Sendable, Hashable {
    /// Always true.
    case all
    /// A test of one field; false if the field is absent.
    case test(FilterSubject, FilterCondition)
    /// The negation.
    case not(FilterExpression)
    /// True if all parts are true.
    case and([FilterExpression])
    /// True if at least one part is true.
    case or([FilterExpression])
}

/// What a test reads.
package enum FilterSubject: Sendable, Hashable {
    /// A field.
    ///
    /// A test of a field with several values is true if it is true for any of them.
    case field(FlowField)
    /// The value of the label with a key; the field is one of the two label fields.
    case label(FlowField, key: String)
    /// A list of ``FlowField/policies``.
    case hits(FilterHits)
}

/// A list of policy hits.
package enum FilterHits: String, Sendable, Hashable, CaseIterable {
    /// `enforced_policies`.
    case enforced = "enforced_policies"
    /// `pending_policies`.
    case pending = "pending_policies"
    /// `transit_policies`.
    case transit = "transit_policies"
}

/// A test of a value.
package enum FilterCondition: Sendable, Hashable {
    /// The value is present: not null, not `-`, not an empty list.
    case present
    /// The text is one of these, which are sorted and unique.
    case equals([String])
    /// The text contains this.
    case contains(String)
    /// The text begins with this.
    case startsWith(String)
    /// The text ends with this.
    case endsWith(String)
    /// The number is in one of these ranges.
    case numbers([ClosedRange<UInt64>])
    /// The address is in one of these ranges.
    case addresses([IPPrefix])
}

extension FilterExpression {
    /// The negation; negates a `not` by removing it.
    var negated: FilterExpression {
        if case .not(let inner) = self { return inner }
        return .not(self)
    }

    /// The conjunction of several expressions; a single one is returned as it is.
    static func conjunction(_ parts: [FilterExpression]) -> FilterExpression {
        parts.count == 1 ? parts[0] : .and(parts)
    }

    /// The disjunction of several expressions; a single one is returned as it is.
    static func disjunction(_ parts: [FilterExpression]) -> FilterExpression {
        parts.count == 1 ? parts[0] : .or(parts)
    }
}
