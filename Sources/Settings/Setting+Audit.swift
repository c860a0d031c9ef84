extension Setting {
    /// Audit logs of API servers, and where their events go.
    static let audit: [Setting] = [
        Setting(
            "audit-output",
            .text(what: "output"),
            isRepeatable: true,
            .audit,
            valueName: "spec",
            example: "file:/var/log/calico/audit/shipped.log",
            "Ship the events of audit logs there: the forms of output."
        ),
        Setting(
            "audit-log",
            .text(what: "path"),
            isRepeatable: true,
            default: "kube-audit.log and tsee-audit.log of /var/log/calico/audit",
            .audit,
            valueName: "path",
            example: "/var/log/kubernetes/audit/audit.log",
            "Follow this audit log of an API server, across its rotation; it need not be there yet. With store, changes that concern policies are kept there, also without audit-output."
        ),
        Setting(
            "audit-state",
            .text(what: "path"),
            default: "/var/lib/weir/audit.state",
            .audit,
            valueName: "path",
            "Keep in this file how far audit logs were read."
        ),
        Setting(
            "audit-cluster",
            .text(what: "name"),
            .audit,
            valueName: "name",
            example: "production",
            "The cluster's name in shipped events (cluster)."
        ),
        Setting(
            "audit-redact",
            .flag,
            default: "false",
            .audit,
            valueName: "true|false",
            "Leave the objects out of shipped events: requestObject and responseObject are null. Stored changes are without differences."
        ),
    ]
}
