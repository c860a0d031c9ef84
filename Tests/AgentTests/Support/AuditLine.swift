/// Lines of audit logs.
enum AuditLine {
    /// A line of a log.
    static func text(_ id: String, resource: String = "networkpolicies", object: String = #"{"spec":{}}"#) -> String {
        #"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"\#(id)","stage":"ResponseComplete","#
            + #""requestURI":"/x","verb":"create","user":{"username":"alice"},"objectRef":{"resource":"\#(resource)"},"#
            + #""responseStatus":{"code":201},"requestObject":\#(object),"stageTimestamp":"2026-11-28T14:00:00.5Z"}"#
            + "\n"
    }
}
