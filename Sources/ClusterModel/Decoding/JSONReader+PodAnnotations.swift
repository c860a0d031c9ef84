import FlowModel

/// The values of pod annotations that network plugins and the kubelet write.
struct PodAnnotations {
    /// Addresses in `cni.projectcalico.org/podIPs`.
    var calicoAddresses: [IPAddress] = []
    /// Addresses in `cni.projectcalico.org/podIP`.
    var calicoAddress: [IPAddress] = []
    /// Addresses in `vpc.amazonaws.com/pod-ips`.
    var amazonAddresses: [IPAddress] = []
    /// Whether Calico has removed the pod's network: its annotation exists and is empty.
    var hasReleasedNetwork = false
    /// Whether the pod is a mirror of a static pod (`kubernetes.io/config.mirror`).
    var isMirror = false

    /// The addresses of a pod whose status has none yet: the first annotation with addresses, in Calico's order.
    var addresses: [IPAddress] {
        if !calicoAddresses.isEmpty { return calicoAddresses }
        return calicoAddress.isEmpty ? amazonAddresses : calicoAddress
    }
}

extension JSONReader {
    /// The annotations of a pod.
    mutating func podAnnotations() throws(JSONError) -> PodAnnotations {
        var annotations = PodAnnotations()
        guard try enterObject() else { return annotations }
        while let key = try nextKey() {
            switch key {
            case "cni.projectcalico.org/podIP":
                let text = try string()
                annotations.calicoAddress = Self.addresses(text)
                annotations.hasReleasedNetwork = text?.isEmpty ?? false
            case "cni.projectcalico.org/podIPs": annotations.calicoAddresses = Self.addresses(try string())
            case "vpc.amazonaws.com/pod-ips": annotations.amazonAddresses = Self.addresses(try string())
            case "kubernetes.io/config.mirror": annotations.isMirror = try nonEmptyString() != nil
            default: try skip()
            }
        }
        return annotations
    }

    /// Parses comma-separated addresses, each with or without a prefix length.
    private static func addresses(_ text: String?) -> [IPAddress] {
        guard let text, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return [] }
        return text.split(separator: ",").compactMap { element in
            let parts = element.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            return IPAddress(String(parts[0]))
        }
    }
}
