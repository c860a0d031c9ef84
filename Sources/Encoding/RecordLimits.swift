import FlowModel

/// The maximum lengths of a record's texts, in bytes of JSON without quotes and brackets.
///
/// Kubernetes limits the length of names, but not the number of a pod's labels. Without a limit, the labels of one workload
/// could make records that do not fit into datagrams and fill the queues of outputs.
public struct RecordLimits: Sendable, Hashable {
    /// The default of ``labelBytes``: about eighty labels of usual length.
    public static let defaultLabelBytes = 4096
    /// The maximum of ``labelBytes``, with which the longest record fits into a datagram.
    public static let maximumLabelBytes = 16_384

    /// The maximum number of bytes of the labels of one end; 0 leaves all labels out.
    ///
    /// Labels that do not fit are left out whole; an additional label contains their number (``omittedLabelsKey``).
    public let labelBytes: Int

    /// The key of the label with the number of omitted labels: `_weir_omitted_labels=37`.
    ///
    /// A label key in Kubernetes begins with a letter or a digit, so no object has this key.
    public static let omittedLabelsKey = "_weir_omitted_labels"

    /// The maximum size of a name or a namespace in bytes, as in Kubernetes; longer names are truncated and end in `…`.
    static let nameBytes = 253
    /// The maximum number of bytes of each text about the change behind a verdict.
    static let causeBytes = 512
    /// The maximum number of bytes of a process's arguments.
    static let argumentBytes = 512
    /// The maximum number of bytes of all domain names, without brackets.
    ///
    /// Names that do not fit, because of many escapes, are left out whole.
    static let domainBytes = FlowRecord.domainLimit * (nameBytes + 3)
    /// The maximum number of bytes of the hits in one list of policies; the first hits and the last one are kept.
    static let policyBytes = 8192

    /// Takes the maximum number of bytes of the labels of one end, from 0 to ``maximumLabelBytes``.
    public init(labelBytes: Int = RecordLimits.defaultLabelBytes) {
        precondition((0...Self.maximumLabelBytes).contains(labelBytes), "labels within the limit of a datagram")
        self.labelBytes = labelBytes
    }

    /// The maximum number of bytes of cached texts in one record.
    var maximumTextBytes: Int {
        // The label limit includes commas and quotes between labels; brackets, keys and the additional label need extra space.
        let labels = labelBytes + 64
        let names = 3 * (Self.nameBytes + 2)
        let service = names + 128
        let policies = 2 * (Self.policyBytes + 64)
        return 2 * (labels + names) + service + policies + Self.nameBytes + 2
            + ChangeCause.mostTexts * (Self.causeBytes + 3) + 2 + Self.domainBytes + 2 + Self.nameBytes + 2
            + FlowProcesses.argumentLimit * (Self.argumentBytes + 3) + 2 + 2 * (Self.nameBytes + 2)
    }
}

/// The numbers of texts that were shortened for records; each text counts when it is rendered.
public struct ShortenedTexts: Sendable, Hashable {
    /// Label sets with omitted labels.
    public var labelSets: UInt64 = 0
    /// Endpoints and services with a truncated name.
    public var names: UInt64 = 0
    /// Policy traces with omitted hits.
    public var policyTraces: UInt64 = 0

    /// Creates an empty value.
    public init() {}
}
