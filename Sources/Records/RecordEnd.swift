package import FlowModel

/// An end of a record, and the fields that describe it.
package enum RecordEnd: Sendable, CaseIterable {
    /// The initiator.
    case source
    /// The responder.
    case destination

    /// `…_type`.
    package var type: FlowField { self == .source ? .sourceType : .destType }
    /// `…_ip`.
    package var address: FlowField { self == .source ? .sourceIP : .destIP }
    /// `…_name`.
    package var name: FlowField { self == .source ? .sourceName : .destName }
    /// `…_name_aggr`.
    package var aggregatedName: FlowField { self == .source ? .sourceNameAggr : .destNameAggr }
    /// `…_namespace`.
    package var namespace: FlowField { self == .source ? .sourceNamespace : .destNamespace }
    /// `…_port`.
    package var port: FlowField { self == .source ? .sourcePort : .destPort }
    /// `…_labels`.
    package var labels: FlowField { self == .source ? .sourceLabels : .destLabels }
}
