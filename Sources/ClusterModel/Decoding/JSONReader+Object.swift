extension JSONReader {
    /// Reads an object of a kind.
    ///
    /// - Throws: also if the value is not an object, or has no name.
    mutating func clusterObject(as kind: ObjectKind) throws(JSONError) -> ClusterObject {
        guard peek() == UInt8(ascii: "{") else {
            let start = offset
            try skip()
            throw .unusable("expected an object", at: start)
        }
        let start = offset
        unknownMembers = UnknownMembers()
        var object = try decoded(as: kind)
        if object.metadata.name.isEmpty {
            throw .unusable("the object has no name: metadata.name is missing", at: start)
        }
        if !unknownMembers.members.isEmpty { object.unknownFields = takeUnknownFields(from: start) }
        return object
    }

    private mutating func decoded(as kind: ObjectKind) throws(JSONError) -> ClusterObject {
        switch kind {
        case .namespace: .namespace(Namespace(metadata: try metadataOnly(of: kind)))
        case .serviceAccount: .serviceAccount(ServiceAccount(metadata: try metadataOnly(of: kind)))
        case .pod: .pod(try pod())
        case .node: .node(try node())
        case .service: .service(try service())
        case .endpointSlice: .serviceEndpoints(try endpointSlice())
        case .endpoints: .serviceEndpoints(try endpoints())
        case .networkSet, .globalNetworkSet: .networkSet(try networkSet(kind))
        case .hostEndpoint: .hostEndpoint(try hostEndpoint())
        case .felixConfiguration: .felixConfiguration(try felixConfiguration())
        case .tier: .tier(try tier())
        case .networkPolicy: .networkPolicy(try networkPolicy())
        case .stagedKubernetesNetworkPolicy: .stagedKubernetesPolicy(try stagedKubernetesPolicy())
        case .calicoNetworkPolicy, .globalNetworkPolicy, .stagedNetworkPolicy, .stagedGlobalNetworkPolicy:
            .calicoPolicy(try calicoPolicy(kind))
        case .adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy:
            .adminPolicy(try adminPolicy(kind))
        }
    }
}
