/// The change of the cluster that gave a record's connections their verdict, or the rule that decided (`caused_by`).
public final class ChangeCause: Sendable {
    /// The request's audit ID, the object, the user, and `likely` where the change is only likely to be the cause.
    ///
    /// Where no audit log has the request: the version of the object, the object, and the program that wrote it last.
    public let texts: [String]

    /// The most texts.
    package static let mostTexts = 4

    /// Takes the known facts about the change.
    ///
    /// - Parameters:
    ///   - auditID: the audit ID of the request.
    ///   - object: kind and name, as `NetworkPolicy shop/db-allow`.
    ///   - user: the user.
    ///   - isLikely: whether it is only likely.
    public init(auditID: String, object: String, user: String, isLikely: Bool) {
        texts = [auditID, object, user] + (isLikely ? ["likely"] : [])
    }
}
