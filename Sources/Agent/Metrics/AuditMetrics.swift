package import Server

/// Writes counts of the lines of audit logs, by their outcome.
package struct AuditMetrics: MetricsSource {
    private let shipper: AuditShipper

    /// Takes the reader of the logs.
    package init(_ shipper: AuditShipper) {
        self.shipper = shipper
    }

    /// Writes all families.
    package func write(to writer: inout MetricsWriter) {
        let counts = shipper.counts
        writer.family("weir_audit_lines", .counter, "Lines of audit logs, by what became of them.")
        for (result, count) in [
            ("shipped", counts.shipped), ("withheld", counts.withheld), ("malformed", counts.malformed),
            ("too_long", counts.tooLong),
        ] {
            writer.sample(MetricLabels(["result": result]), UInt64(clamping: count))
        }
        writer.family("weir_audit_changes", .counter, "Changes in audit logs that concern policies.")
        writer.sample(.none, UInt64(clamping: counts.changes))
        writer.family("weir_audit_gaps", .counter, "How often a log was removed before it was read to its end.")
        writer.sample(.none, UInt64(clamping: counts.gaps))
        if let webhook = shipper.webhook { write(webhook, to: &writer) }
    }

    private func write(_ webhook: AuditWebhook, to writer: inout MetricsWriter) {
        let (counts, refused) = (webhook.counts, shipper.refused)
        writer.family("weir_audit_webhook_requests", .counter, "Batches that API servers sent, by result.")
        for (result, count) in [
            ("accepted", counts.accepted), ("malformed", counts.malformed), ("too_large", counts.tooLarge),
            ("incomplete", counts.incomplete), ("unavailable", counts.unavailable),
            ("unauthorized", refused.requests), ("tls", refused.handshakes),
        ] {
            writer.sample(MetricLabels(["result": result]), UInt64(clamping: count))
        }
        writer.family("weir_audit_webhook_events", .counter, "Events of accepted batches, by result.")
        for (result, count) in [
            ("kept", counts.events), ("repeated", counts.repeated), ("withheld", counts.withheld),
            ("malformed", counts.unusable),
        ] {
            writer.sample(MetricLabels(["result": result]), UInt64(clamping: count))
        }
        writer.family("weir_audit_webhook_journal_bytes", .gauge, "Size of the files of events that API servers sent.")
        writer.sample(.none, UInt64(clamping: webhook.journalBytes))
    }
}
