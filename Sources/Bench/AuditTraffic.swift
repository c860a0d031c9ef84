import Foundation

/// Artificial events of an API server's audit log.
package enum AuditTraffic {
    /// Returns the event of a request: of ten, five are reads without objects, four status updates of pods, one a policy
    /// change.
    static func mixed(_ index: Int) -> String {
        switch index % 10 {
        case 0..<5: event(index, "get", "pods", "web-\(index)", "Metadata", "")
        case 5..<9: event(index, "patch", "pods", "web-\(index)", "RequestResponse", pod(index, of: index))
        default: policyChange(index)
        }
    }

    /// Returns a change as the policy of `weir audit policy` records it.
    ///
    /// Of ten changes, four are of the status of pods, two each create and delete a pod, one is a new endpoint of a service,
    /// and one is a change of a policy.
    package static func change(_ index: Int) -> String {
        let (round, step) = (index / 10, index % 10)
        switch step {
        case 0, 1: return podEvent(index, "create", round * 2 + step)
        case 2...5: return podEvent(index, "patch", round * 2 + step % 2, part: "status")
        case 6, 7: return podEvent(index, "delete", max(0, round - 100) * 2 + step % 2)
        case 8:
            return event(index, "update", "endpointslices", "web-\(round % 50)", "RequestResponse", slice(index))
        default: return policyChange(index)
        }
    }

    /// A change of a policy.
    package static func policyChange(_ index: Int) -> String {
        event(index, "patch", "networkpolicies", "allow-\(index % 20)", "RequestResponse", policy(index))
    }

    private static func podEvent(_ index: Int, _ verb: String, _ number: Int, part: String = "") -> String {
        event(index, verb, "pods", "web-\(number)", "RequestResponse", pod(index, of: number), part: part)
    }

    private static func event(
        _ index: Int,
        _ verb: String,
        _ resource: String,
        _ name: String,
        _ level: String,
        _ objects: String,
        part: String = ""
    ) -> String {
        let part = part.isEmpty ? "" : #""subresource":"\#(part)","#
        let groups = ["networkpolicies": "networking.k8s.io", "endpointslices": "discovery.k8s.io"]
        let group = groups[resource].map { #""apiGroup":"\#($0)","# } ?? ""
        let id = "0bc188d9-9ec2-404b-8294-\(String(format: "%012d", index))"
        return """
            {"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"\(level)","auditID":"\(id)","stage":"ResponseComplete",\
            "requestURI":"/api/v1/namespaces/shop/\(resource)/\(name)?fieldManager=kubectl","verb":"\(verb)","user":\
            {"username":"kubernetes-admin","groups":["system:masters","system:authenticated"],"extra":{"authentication.\
            kubernetes.io/credential-id":["X509SHA256=fb3e6409f748b3d8d5180ad013fc2edc2e6ba87d86cdcfe72e0b669a0e169c53"]}},\
            "sourceIPs":["127.0.0.1"],"userAgent":"kubectl/v1.32.3 (linux/amd64) kubernetes/32cc146","objectRef":{"resource":\
            "\(resource)","namespace":"shop","name":"\(name)",\(group)\(part)"apiVersion":"v1"},"responseStatus":{"metadata":{},\
            "code":200},\(objects)"requestReceivedTimestamp":"2026-11-21T11:50:07.027954Z","stageTimestamp":\
            "2026-11-21T11:50:07.\(String(format: "%06d", index))Z","annotations":{"authorization.k8s.io/decision":"allow",\
            "authorization.k8s.io/reason":""}}
            """
    }

    private static func pod(_ index: Int, of number: Int) -> String {
        let fields = (0..<30).map { #""f:field\#($0)":{".":{},"k:{\"type\":\"Ready\"}":{".":{},"f:status":{}}}"# }
            .joined(separator: ",")
        return """
            "requestObject":{"status":{"phase":"Running","podIP":"10.244.2.\(index % 250)"}},"responseObject":{"kind":"Pod",\
            "apiVersion":"v1","metadata":{"name":"web-\(number)","namespace":"shop","uid":"cdab8e9c-c779-4c8c","resourceVersion":\
            "\(index)","labels":{"app":"web","tier":"frontend"},"managedFields":[{"manager":"kubelet","operation":"Update",\
            "fieldsType":"FieldsV1","fieldsV1":{\(fields)}}]},"spec":{"containers":[{"name":"web","image":"registry.example/web:1",\
            "ports":[{"containerPort":8080,"protocol":"TCP"}],"resources":{"limits":{"cpu":"1"}}}],"nodeName":"node-a"},"status":\
            {"phase":"Running","podIP":"10.244.2.\(index % 250)","podIPs":[{"ip":"10.244.2.\(index % 250)"}]}},
            """
    }

    private static func slice(_ index: Int) -> String {
        let endpoints = (0..<8).map { place in
            let address = place == 0 ? index % 250 : place
            return #"{"addresses":["10.244.1.\#(address)"],"conditions":{"ready":true,"serving":true},"#
                + #""targetRef":{"kind":"Pod","namespace":"shop","name":"web-\#(place)","uid":"cdab8e9c"},"nodeName":"node-a"}"#
        }
        return """
            "responseObject":{"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":"web-\
            \(index / 10 % 50)","namespace":"shop","uid":"5cd2d2f4","resourceVersion":"\(index)","labels":\
            {"kubernetes.io/service-name":"web"}},"addressType":"IPv4","endpoints":[\(endpoints.joined(separator: ","))],\
            "ports":[{"name":"http","port":8080,"protocol":"TCP"}]},
            """
    }

    private static func policy(_ index: Int) -> String {
        let spec = """
            "spec":{"podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"ports":[{"protocol":"TCP","port":\(5400 + index)}],\
            "from":[{"podSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["cart","migrate"]}]}}]}],\
            "policyTypes":["Ingress"]}
            """
        return """
            "requestObject":{\(spec)},"responseObject":{"kind":"NetworkPolicy","apiVersion":"networking.k8s.io/v1","metadata":\
            {"name":"allow-\(index % 20)","namespace":"shop","uid":"868e0774","resourceVersion":"\(index)"},\(spec)},
            """
    }
}
