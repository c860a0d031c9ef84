/// Labels as records show them: `key=value`, sorted.
///
/// Immutable and shared: endpoints with the same labels have the same object, and encoders cache its rendered text by ``id``.
public final class LabelSet: Sendable {
    /// A number that no other label set of this process has or had.
    public let id: UInt64
    /// The labels, `key=value` each (the value may contain `=`), ascending and without duplicates.
    public let labels: [String]

    /// Takes labels in ascending order, without duplicates.
    public init(sorted labels: [String]) {
        id = UniqueNumber.next()
        self.labels = labels
    }

    /// The empty set; unknown labels are nil instead.
    public static let empty = LabelSet(sorted: [])

    /// Returns the labels that both sets have; returns one of the two objects if it is equal to the result.
    public func intersection(_ other: LabelSet) -> LabelSet {
        if self === other { return self }
        var common: [String] = []
        var (left, right) = (0, 0)
        while left < labels.count, right < other.labels.count {
            if labels[left] == other.labels[right] {
                common.append(labels[left])
                left += 1
                right += 1
            } else if labels[left] < other.labels[right] {
                left += 1
            } else {
                right += 1
            }
        }
        if common.count == labels.count { return self }
        if common.count == other.labels.count { return other }
        return common.isEmpty ? .empty : LabelSet(sorted: common)
    }
}
