extension Setting {
    /// The settings for audit logs of API servers and the outputs of their events.
    static let audit: [Setting] = [
        Setting(
            "audit-output",
            .text(what: "output"),
            isRepeatable: true,
            .audit,
            valueName: "spec",
            example: "file:/var/log/calico/auditlogs/audit.log",
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
            "audit-listen",
            .text(what: "address"),
            .audit,
            valueName: "address",
            example: "127.0.0.1:9466",
            "Take the events that API servers' webhook backends send to this address and port (weir audit webhook-config). Then the usual logs are not followed without audit-log."
        ),
        Setting(
            "audit-certificate",
            .text(what: "path"),
            .audit,
            valueName: "path",
            example: "/etc/weir/audit.crt",
            "TLS for audit-listen: certificates in PEM, this host's first. An address that others reach needs it."
        ),
        Setting(
            "audit-key",
            .text(what: "path"),
            .audit,
            valueName: "path",
            example: "/etc/weir/audit.key",
            "The private key in PEM that belongs to audit-certificate."
        ),
        Setting(
            "audit-client-ca",
            .text(what: "path"),
            .audit,
            valueName: "path",
            example: "/etc/weir/audit-client-ca.crt",
            "API servers must show a certificate that one of these, in PEM, has signed."
        ),
        Setting(
            "audit-token-file",
            .text(what: "path"),
            .audit,
            valueName: "path",
            example: "/etc/weir/audit.token",
            "API servers must show the token in this file."
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
