import ClusterModel
import ClusterSource
import Inventory
import Policy
import Server

/// Writes the numbers of known workloads and policies, and the state of their sources.
struct InventoryMetrics: MetricsSource {
    let board: RunBoard
    let inventory: InventoryKeeper
    let sources: InventorySources

    func write(to writer: inout MetricsWriter) {
        writeObjects(inventory.statistics, to: &writer)
        let findings = board.findings
        writer.family("weir_policy_findings", .gauge, "Findings in policies, by their effect on the policy.")
        for severity in [PolicyFinding.Severity.unusable, .ineffective] {
            writer.sample(MetricLabels(["severity": severity.rawValue]), UInt64(findings[severity] ?? 0))
        }
        if let files = sources.fileStatistics { write(files, to: &writer) }
        if let cluster = sources.clusterStatistics { write(cluster, to: &writer) }
    }

    private func writeObjects(_ statistics: InventoryStatistics, to writer: inout MetricsWriter) {
        writer.family("weir_inventory_objects", .gauge, "Objects that are known, by kind.")
        for kind in statistics.objects.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
            writer.sample(MetricLabels(["kind": kind.rawValue]), UInt64(statistics.count(kind)))
        }
        let gauges: [(String, String, Int)] = [
            ("weir_inventory_addresses", "Addresses that have an owner.", statistics.addresses),
            ("weir_inventory_contested_addresses", "Addresses that several claim.", statistics.contestedAddresses),
            (
                "weir_inventory_kept_addresses", "Addresses of deleted owners that are still resolved.",
                statistics.keptAddresses
            ),
            ("weir_inventory_identities", "Different identities of endpoints.", statistics.identities),
            ("weir_inventory_prefixes", "Prefixes of network sets.", statistics.prefixes),
        ]
        for (name, help, value) in gauges {
            writer.family(name, .gauge, help)
            writer.sample(.none, UInt64(clamping: value))
        }
        writer.family(
            "weir_inventory_oversized_objects",
            .counter,
            "Objects that were cut, because they have too many addresses."
        )
        writer.sample(.none, UInt64(clamping: statistics.oversizedObjects))
    }

    private func write(_ statistics: FileStatistics, to writer: inout MetricsWriter) {
        writer.family("weir_inventory_files", .gauge, "Files with objects, by state.")
        writer.sample(MetricLabels(["state": "read"]), UInt64(clamping: statistics.files - statistics.brokenFiles))
        writer.sample(MetricLabels(["state": "broken"]), UInt64(clamping: statistics.brokenFiles))
        writer.family("weir_inventory_file_unusable_objects", .gauge, "Objects of files that cannot be used.")
        writer.sample(.none, UInt64(clamping: statistics.unusableObjects))
    }

    private func write(_ statistics: KubernetesStatistics, to writer: inout MetricsWriter) {
        let kinds = statistics.kinds.sorted { $0.key.rawValue < $1.key.rawValue }
        let now = ContinuousClock.now
        func seconds(since instant: ContinuousClock.Instant?) -> Double {
            instant.map { Double($0.duration(to: now).nanoseconds) / 1e9 } ?? 0
        }
        writer.family(
            "weir_inventory_unreachable_seconds",
            .gauge,
            "For how long the API server has not been reached; 0 if it is."
        )
        writer.sample(.none, seconds(since: statistics.unreachableSince))
        writer.family("weir_inventory_kind_synced", .gauge, "1 if all objects of a kind that is served are known.")
        for (kind, state) in kinds where state.presence != .absent {
            writer.sample(MetricLabels(["kind": kind.rawValue]), UInt64(state.isSynced ? 1 : 0))
        }
        writer.family("weir_inventory_kind_forbidden", .gauge, "1 if the right to read a kind is missing.")
        for (kind, state) in kinds where state.presence != .absent {
            writer.sample(MetricLabels(["kind": kind.rawValue]), UInt64(state.isForbidden ? 1 : 0))
        }
        writer.family(
            "weir_inventory_kind_age_seconds",
            .gauge,
            "Since the last event of a kind from the API server, bookmarks included."
        )
        for (kind, state) in kinds where state.lastEvent != nil {
            writer.sample(MetricLabels(["kind": kind.rawValue]), seconds(since: state.lastEvent))
        }
        writer.family("weir_inventory_watch_restarts", .counter, "Watches that had to be started again, by reason.")
        for (kind, state) in kinds {
            for reason in RestartReason.allCases {
                guard let count = state.restarts[reason] else { continue }
                writer.sample(
                    MetricLabels(["kind": kind.rawValue, "reason": reason.rawValue]),
                    UInt64(clamping: count)
                )
            }
        }
        writer.family("weir_inventory_events", .counter, "Objects of lists and events of watches that were read.")
        for (kind, state) in kinds {
            writer.sample(MetricLabels(["kind": kind.rawValue]), UInt64(clamping: state.events))
        }
        writer.family("weir_inventory_unusable_objects", .counter, "Objects of the API server that could not be used.")
        for (kind, state) in kinds {
            writer.sample(MetricLabels(["kind": kind.rawValue]), UInt64(clamping: state.unusable))
        }
    }
}
