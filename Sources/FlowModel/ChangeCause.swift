/// The change of the cluster that gave a record's connections their verdict, or the rule that decided (`caused_by`).
public final class ChangeCause: Sendable {
    /// The request's audit ID, the object and the user; then `likely` if the change is only the likely cause.
    ///
    /// If no audit log has the request: the object's version, the object, and the program that wrote it last.
    public let texts: [String]

    /// The maximum number of texts.
    package static let mostTexts = 4

    /// Takes the known facts about the change.
    ///
    /// - Parameters:
    ///   - auditID: the audit ID of the request.
    ///   - object: kind and name, such as `NetworkPolicy shop/db-allow`.
    ///   - user: the user.
    ///   - isLikely: whether the change is only the likely cause.
    public init(auditID: String, object: String, user: String, isLikely: Bool) {
        texts = [auditID, object, user] + (isLikely ? ["likely"] : [])
    }
}
