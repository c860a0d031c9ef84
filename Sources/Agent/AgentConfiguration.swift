public import Datapath
import Encoding
package import Export
import FlowLog
public import FlowModel
import Glibc
public import Policy
public import Server

/// The configuration of a run.
public struct AgentConfiguration: Sendable {
    /// What is watched, and how.
    public var datapath = DatapathConfiguration()
    /// Groups that rules of the packet filter log verdicts to, each once; none is read by default.
    public var nflogGroups: [UInt16] = []
    /// The sources of the inventory: the owners of addresses.
    public var inventory = InventoryConfiguration()
    /// How policy hits are written.
    public var policyFormat = PolicyFormat.enterprise
    /// Whether every disagreement of policies and datapath is logged in every interval, and not only now and then.
    public var showsMismatches = false
    /// The detail of records of allowed flows, for outputs without a level of their own.
    public var levelForAllowed = AggregationLevel.podPrefix
    /// The same of denied flows.
    public var levelForDenied = AggregationLevel.sourcePort
    /// Whether records have Weir's own fields too (``FlowField/extensions``).
    public var extendedFields = false
    /// The most bytes of the labels of one end in a record, one of ``possibleLabelBytes``.
    public var labelBytes = AgentConfiguration.defaultLabelBytes
    /// Where records go.
    public var outputs = [OutputConfiguration(.standardOutput)]
    /// Further receivers of all records.
    package var taps: [any RecordTap] = []
    /// Has the changes of audit logs that records are joined with; nil if none are read.
    package var changes: ChangeBoard?
    /// More metrics than the agent's own.
    package var metrics: [any MetricsSource] = []
    /// What asks outputs to open their files again.
    public var hangUps = HangUpSource()
    /// What brings changed settings while the run goes on.
    public var reloads = ReloadSource()
    /// Time between flushes; flushes fall on multiples of it in Unix time.
    public var flushInterval: Duration = .seconds(10)
    /// Time between scans of the flow table.
    public var pollInterval: Duration = .seconds(1)
    /// Ends the run by itself, after a last flush.
    public var duration: Duration?
    /// The name of this host in records.
    public var hostName = AgentConfiguration.defaultHostName
    /// Where the account goes at the end.
    public var reportPath: String?
    /// The most resident memory, bytes; ``MemoryPlan/smallestLimit`` at least.
    public var memoryLimit = MemoryPlan.defaultLimit
    /// Where HTTP requests are answered: metrics, health, what is known; nil for nowhere.
    public var server: HTTPServerConfiguration?
    /// How many workloads have metrics of what they carry, at most; 0 for none.
    public var meteredWorkloads = 0
    /// Lets the kernel measure the programs while the run lasts; nil if it need not.
    public var timing: ProgramTiming?
    /// Providers of further HTTP routes.
    public var routes: [any RouteProvider] = []
    /// Connection tracking, if it was opened before privileges were given up that its program needs; else the run opens it.
    public var tracker: Conntrack?
    /// What is set and where it comes from, as JSON, for `/debug/config`; nil if that is not known.
    public var settings: (@Sendable () -> String)?
    /// The version of the program, for metrics.
    public var version = "unknown"
    /// How long the outputs may take to write what is queued when the run ends.
    public var finishLimit: Duration = .seconds(5)

    /// The defaults.
    public init() {}

    /// The detail of the records that taps get.
    var ownDetail: RecordDetail { RecordDetail(allowed: levelForAllowed, denied: levelForDenied) }

    /// The selection of each output.
    var selections: [RecordSelection] { outputs.map { $0.selection.completed(by: ownDetail) } }

    /// The detail in which records are made: the finest that an output or a tap needs.
    var recordDetail: RecordDetail {
        RecordDetail(finestOf: selections, for: taps.isEmpty ? nil : ownDetail)
    }

    /// The default of the most bytes of labels of an end.
    public static let defaultLabelBytes = RecordLimits.defaultLabelBytes
    /// The allowed values.
    public static let possibleLabelBytes = 0...RecordLimits.maximumLabelBytes

    /// The name that the environment gives this host (`NODE_NAME`, as a pod gets it from `spec.nodeName`), else the system.
    public static var defaultHostName: String {
        guard let name = getenv("NODE_NAME") else { return systemHostName }
        let text = String(cString: name)
        return text.isEmpty ? systemHostName : text
    }

    /// The name that the system gives this host (gethostname).
    public static var systemHostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
