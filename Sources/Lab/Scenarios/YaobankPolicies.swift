extension YaobankScenario {
    /// Global policies: they deny connections to the threat feed, and two tiers pass all other traffic to the application's
    /// tier.
    static let globalPolicies = [
        """
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata:
          name: tigera-security.block-alienvault-ipthreatfeed
        spec:
          egress:
          - action: Deny
            destination:
              selector: feed == "alienvault-ipthreatfeeds"
            source: {}
          - action: Pass
            destination: {}
            source: {}
          order: 0
          selector: all()
          tier: tigera-security
          types:
          - Egress
        """,
        pass(tier: "security"),
        pass(tier: "platform"),
    ]

    private static func pass(tier: String) -> String {
        """
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata:
          name: \(tier).\(tier)-default-pass
        spec:
          egress:
          - action: Pass
            destination: {}
            source: {}
          ingress:
          - action: Pass
            destination: {}
            source: {}
          order: 1000
          selector: all()
          tier: \(tier)
          types:
          - Ingress
          - Egress
        """
    }

    /// The minimal rules for the bank: only the summary may call the database.
    static let policies = [
        """
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata:
          name: application.allow-customer
          namespace: \(namespace)
        spec:
          egress:
          - action: Allow
            destination:
              ports:
              - \(webPort)
              selector: app == "summary"
            protocol: TCP
            source: {}
          ingress:
          - action: Allow
            destination:
              ports:
              - \(webPort)
            protocol: TCP
            source: {}
          order: 100
          selector: app == "customer"
          tier: application
          types:
          - Ingress
          - Egress
        """,
        """
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata:
          name: application.allow-summary
          namespace: \(namespace)
        spec:
          egress:
          - action: Allow
            destination:
              ports:
              - \(databasePort)
              selector: app == "database"
            protocol: TCP
            source: {}
          ingress:
          - action: Allow
            destination:
              ports:
              - \(webPort)
            protocol: TCP
            source:
              selector: app == "customer"
          order: 110
          selector: app == "summary"
          tier: application
          types:
          - Ingress
          - Egress
        """,
        """
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata:
          name: application.allow-database
          namespace: \(namespace)
        spec:
          ingress:
          - action: Allow
            destination:
              ports:
              - \(databasePort)
            protocol: TCP
            source:
              selector: app == "summary"
          order: 120
          selector: app == "database"
          tier: application
          types:
          - Ingress
        """,
    ]

    /// A staged policy that would allow the customer to call the database, at both ends.
    static let stagedPolicy = """
        apiVersion: projectcalico.org/v3
        kind: StagedNetworkPolicy
        metadata:
          name: application.customer-to-database
          namespace: \(namespace)
        spec:
          egress:
          - action: Allow
            destination:
              ports:
              - \(databasePort)
              selector: app == "database"
            protocol: TCP
            source: {}
          ingress:
          - action: Allow
            destination:
              ports:
              - \(databasePort)
            protocol: TCP
            source:
              selector: app == "customer"
          order: 50
          selector: app in { "customer", "database" }
          stagedAction: Set
          tier: application
          types:
          - Ingress
          - Egress
        """
}
