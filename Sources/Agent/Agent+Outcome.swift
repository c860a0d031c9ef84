import Datapath
import Export
import Logging
import Posix

/// The end of a run: the account in the log and in the report.
extension Agent {
    /// Writes the report and logs how the run ended.
    ///
    /// - Throws: the reason why the run had to end, else the reason why the report could not be written.
    func conclude(_ outcome: Outcome, _ failure: AgentError?, _ plan: StopPlan) throws(AgentError) {
        if failure == nil { log(outcome) }
        do throws(AgentError) {
            try writeReport(outcome.report, within: plan.time(for: .rest))
        } catch {
            guard let failure else { throw error }
            logger.error("\(error)")
            throw failure
        }
        if let failure { throw failure }
    }

    /// Fails before the run, and not after it, when the report cannot be written.
    func checkReportPath() throws(AgentError) {
        guard let path = configuration.reportPath else { return }
        do throws(FileError) {
            try TextFile(path: path).check()
        } catch {
            throw .file(error)
        }
    }

    private func writeReport(_ report: AccountReport, within limit: Duration) throws(AgentError) {
        guard let path = configuration.reportPath else { return }
        do throws(FileError) {
            try TextFile(path: path).write(report.json, within: limit)
        } catch {
            throw .file(error)
        }
    }

    private func log(_ outcome: Outcome) {
        let report = outcome.report
        let seen = (report.totals.ingress.seen, report.totals.egress.seen)
        let remainder = report.totals.ingress.remainder.packets + report.totals.egress.remainder.packets
        let gap = report.totals.ingress.gap.packets + report.totals.egress.gap.packets
        logger.log(
            level: !report.balanced || gap > 0 ? .error : remainder == 0 ? .info : .warning,
            "account \(report.balanced ? "balanced" : "NOT balanced")",
            metadata: [
                "interfaces": "\(report.interfaces.count)",
                "packets": "\(seen.0.packets + seen.1.packets)",
                "bytes": "\(seen.0.bytes + seen.1.bytes)",
                "remainder_packets": "\(remainder)",
                "gap_packets": "\(gap)",
            ]
        )
        guard let records = report.records else { return }
        logger.info(
            "in records",
            metadata: [
                "packets": "\(records.recorded.packets)",
                "without_other_end": "\(records.remainder.packets)",
                "of_another_interface": "\(records.elsewhere.packets)",
                "in_none_neither_end_local": "\(records.unrecorded.transit.packets)",
                "in_none_not_ip": "\(records.unrecorded.notIP.packets)",
                "in_none_unparsed": "\(records.unrecorded.unparsed.packets)",
            ]
        )
    }
}
