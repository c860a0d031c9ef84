package import Datapath
import Encoding
package import Export
import FlowLog
package import FlowModel
import Glibc
package import Policy
package import Server

/// The configuration of a run.
package struct AgentConfiguration: Sendable {
    /// The interfaces to watch, and the way to watch them.
    package var datapath = DatapathConfiguration()
    /// Groups to which rules of the packet filter log verdicts, each once; none is read by default.
    package var nflogGroups: [UInt16] = []
    /// The sources of the inventory: the owners of addresses.
    package var inventory = InventoryConfiguration()
    /// Receives the inventory for readers of the run; nil if there are none.
    package var inventoryTap: InventoryTap?
    /// The format in which policy hits are written.
    package var policyFormat = PolicyFormat.enterprise
    /// Whether host endpoints report connections that this host forwards, where their policies govern them.
    package var recordsForwarded = false
    /// Whether every disagreement of policies and datapath is logged in every interval, instead of at growing intervals.
    package var showsMismatches = false
    /// The detail of records of allowed flows, for outputs without a level of their own.
    package var levelForAllowed = AggregationLevel.podPrefix
    /// The detail of records of denied flows, for outputs without a level of their own.
    package var levelForDenied = AggregationLevel.sourcePort
    /// Whether records have Weir's own fields too (``FlowField/extensions``).
    package var extendedFields = false
    /// The most bytes of the labels of one end in a record, one of ``possibleLabelBytes``.
    package var labelBytes = AgentConfiguration.defaultLabelBytes
    /// The outputs of records.
    package var outputs = [OutputConfiguration(.standardOutput)]
    /// The outputs of the DNS log; unused if DNS messages are not collected.
    package var dnsOutputs: [OutputConfiguration] = []
    /// The way in which the DNS log names clients.
    package var dnsDetail = DNSRecord.Detail.clientPrefix
    /// Further receivers of all records.
    package var taps: [any RecordTap] = []
    /// The board with the changes of audit logs that records are joined with; nil if none are read.
    package var changes: ChangeBoard?
    /// Further metrics beside the agent's own.
    package var metrics: [any MetricsSource] = []
    /// The request to outputs to open their files again.
    package var hangUps = HangUpSource()
    /// The source of changed settings while the run goes on.
    package var reloads = ReloadSource()
    /// Time between flushes; flushes fall on multiples of it in Unix time.
    package var flushInterval: Duration = .seconds(10)
    /// Time between scans of the flow table.
    package var pollInterval: Duration = .seconds(1)
    /// The time after which the run ends by itself, after a last flush; nil for none.
    package var duration: Duration?
    /// The name of this host in records.
    package var hostName = AgentConfiguration.defaultHostName
    /// The file of the account at the end of the run.
    package var reportPath: String?
    /// The most resident memory, bytes; ``MemoryPlan/smallestLimit`` at least.
    package var memoryLimit = MemoryPlan.defaultLimit
    /// The HTTP server for metrics, health and status; nil for none.
    package var server: HTTPServerConfiguration?
    /// The largest number of workloads that have metrics of their traffic; 0 for none.
    package var meteredWorkloads = 0
    /// The measurement of the programs by the kernel while the run lasts; nil for none.
    package var timing: ProgramTiming?
    /// Providers of further HTTP routes.
    package var routes: [any RouteProvider] = []
    /// Connection tracking, if it was opened before privileges that its program requires were dropped; nil if the run opens it.
    package var tracker: Conntrack?
    /// The settings and their sources as JSON, for `/debug/config`; nil if unknown.
    package var settings: (@Sendable () -> String)?
    /// The version of the program, for metrics.
    package var version = "unknown"
    /// The longest time that the outputs may take to write what is queued when the run ends.
    package var finishLimit: Duration = .seconds(5)

    /// The defaults.
    package init() {}

    /// The detail of the records that taps get.
    var ownDetail: RecordDetail { RecordDetail(allowed: levelForAllowed, denied: levelForDenied) }

    /// The selection of each output.
    var selections: [RecordSelection] { outputs.map { $0.selection.completed(by: ownDetail) } }

    /// The detail in which records are made: the finest that an output or a tap needs.
    var recordDetail: RecordDetail {
        RecordDetail(finestOf: selections, for: taps.isEmpty ? nil : ownDetail)
    }

    /// The default of the most bytes of labels of an end.
    package static let defaultLabelBytes = RecordLimits.defaultLabelBytes
    /// The allowed numbers of label bytes.
    package static let possibleLabelBytes = 0...RecordLimits.maximumLabelBytes

    /// The host name from the environment (`NODE_NAME`, as a pod gets it from `spec.nodeName`), else from the system.
    package static var defaultHostName: String {
        guard let name = getenv("NODE_NAME") else { return systemHostName }
        let text = String(cString: name)
        return text.isEmpty ? systemHostName : text
    }

    /// The host name from the system (gethostname).
    package static var systemHostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
