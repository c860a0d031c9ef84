import FlowModel

/// The longest texts of a record, in bytes of JSON without quotes and brackets.
///
/// Kubernetes bounds a name, and the number of a pod's labels not at all: without a limit, one workload's labels make
/// records that no datagram takes, and that fill the queues of outputs.
public struct RecordLimits: Sendable, Hashable {
    /// The default of ``labelBytes``: some eighty labels of usual length.
    public static let defaultLabelBytes = 4096
    /// The largest ``labelBytes``: with it, the longest record fits into a datagram.
    public static let maximumLabelBytes = 16_384

    /// The most bytes of the labels of one end; 0 leaves all labels out.
    ///
    /// Labels that do not fit are left out whole; an additional label has their number (``omittedLabelsKey``).
    public let labelBytes: Int

    /// The key of the label with the number of omitted labels: `_weir_omitted_labels=37`.
    ///
    /// A key of Kubernetes begins with a letter or a digit, so no object has it.
    public static let omittedLabelsKey = "_weir_omitted_labels"

    /// The maximum size of a name or a namespace in bytes, as in Kubernetes; a longer one is cut off and ends in `…`.
    static let nameBytes = 253
    /// The most bytes of each text that names the change behind a verdict.
    static let causeBytes = 512
    /// The most bytes of the arguments of a process.
    static let argumentBytes = 512
    /// The most bytes of all domain names, without brackets; names that do not fit, with many escapes, are left out whole.
    static let domainBytes = FlowRecord.domainLimit * (nameBytes + 3)
    /// The most bytes of the hits of one list of policies; the first ones and the last are kept.
    static let policyBytes = 8192

    /// Takes the most bytes of the labels of one end, from 0 to ``maximumLabelBytes``.
    public init(labelBytes: Int = RecordLimits.defaultLabelBytes) {
        precondition((0...Self.maximumLabelBytes).contains(labelBytes), "labels within the limit of a datagram")
        self.labelBytes = labelBytes
    }

    /// The most bytes that lie ready as text for one record.
    var maximumTextBytes: Int {
        // Commas and quotes between labels count as their bytes; brackets, keys and the last label come on top.
        let labels = labelBytes + 64
        let names = 3 * (Self.nameBytes + 2)
        let service = names + 128
        let policies = 2 * (Self.policyBytes + 64)
        return 2 * (labels + names) + service + policies + Self.nameBytes + 2
            + ChangeCause.mostTexts * (Self.causeBytes + 3) + 2 + Self.domainBytes + 2 + Self.nameBytes + 2
            + FlowProcesses.argumentLimit * (Self.argumentBytes + 3) + 2 + 2 * (Self.nameBytes + 2)
    }
}

/// The numbers of texts that were shortened for records, each counted when it was rendered.
public struct ShortenedTexts: Sendable, Hashable {
    /// Label sets with omitted labels.
    public var labelSets: UInt64 = 0
    /// Endpoints and services with a name that was cut off.
    public var names: UInt64 = 0
    /// Policy traces with omitted hits.
    public var policyTraces: UInt64 = 0

    /// Creates an empty value.
    public init() {}
}
