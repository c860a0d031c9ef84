/// The change of the cluster that a record's connections have their verdict, or the rule that decided, from (`caused_by`).
public final class ChangeCause: Sendable {
    /// The request's audit ID, the object, the user, and `likely` where the change is only likely to be the cause.
    ///
    /// Where no audit log has the request: the version of the object, the object, and the program that wrote it last.
    public let texts: [String]

    /// The most texts.
    package static let mostTexts = 4

    /// Takes what is known of the change.
    ///
    /// - Parameters:
    ///   - auditID: the request.
    ///   - object: kind and name, as `NetworkPolicy shop/db-allow`.
    ///   - user: who did it.
    ///   - isLikely: whether it is only likely.
    public init(auditID: String, object: String, user: String, isLikely: Bool) {
        texts = [auditID, object, user] + (isLikely ? ["likely"] : [])
    }
}
