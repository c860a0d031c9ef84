extension YaobankScenario {
    /// The enforced policies as nftables rules, as Calico would program them.
    ///
    /// Packets from a pod pass the pod's egress chain, packets to a pod pass its ingress chain. Staged policies are not
    /// included. A chain contains the rules of the one policy in tier `application` that selects the pod in that direction;
    /// without a policy, all packets are allowed, as by profiles. The earlier tiers only decide about the threat feed.
    static var rules: String {
        let (customer, summary, database) = (
            Part.customer.interface, Part.summary.interface, Part.database.interface
        )
        return """
            table inet yaobank {
                set threatfeed {
                    type ipv4_addr; flags interval
                    elements = { \(threatFeed.joined(separator: ", ")) }
                }
            \(counters)
                chain forward {
                    type filter hook forward priority filter; policy accept
                    ct state established,related accept
                    ip daddr @threatfeed counter name threatfeed drop
                    iifname \(customer) jump customer-egress
                    iifname \(summary) jump summary-egress
                    oifname \(customer) jump customer-ingress
                    oifname \(summary) jump summary-ingress
                    oifname \(database) jump database-ingress
                }
                chain customer-egress {
                    oifname \(summary) tcp dport \(webPort) return
                    counter name customer-egress drop
                }
                chain customer-ingress {
                    tcp dport \(webPort) return
                    counter name customer-ingress drop
                }
                chain summary-egress {
                    oifname \(database) tcp dport \(databasePort) return
                    counter name summary-egress drop
                }
                chain summary-ingress {
                    iifname \(customer) tcp dport \(webPort) return
                    counter name summary-ingress drop
                }
                chain database-ingress {
                    iifname \(summary) tcp dport \(databasePort) return
                    counter name database-ingress drop
                }
            }
            """
    }

    private static let chains = [
        "customer-egress", "customer-ingress", "summary-egress", "summary-ingress", "database-ingress",
    ]

    private static var counters: String {
        (["threatfeed"] + chains).map { "    counter \($0) { }" }.joined(separator: "\n")
    }

    /// Returns the customer's packets that nftables dropped, as counts of IP packets and IP bytes.
    package func droppedFromCustomer() throws(LabError) -> TrafficCount {
        try dropped("customer-egress")
    }

    /// Returns all packets that nftables dropped.
    package func dropped() throws(LabError) -> TrafficCount {
        var sum = TrafficCount()
        for name in ["threatfeed"] + Self.chains { sum += try dropped(name) }
        return sum
    }

    private func dropped(_ counter: String) throws(LabError) -> TrafficCount {
        let words = try node.command(["nft", "list", "counter", "inet", "yaobank", counter])
            .split(whereSeparator: \.isWhitespace)
        func number(after word: Substring) -> Int? {
            words.firstIndex(of: word).flatMap { words.indices.contains($0 + 1) ? Int(words[$0 + 1]) : nil }
        }
        guard let packets = number(after: "packets"), let bytes = number(after: "bytes") else {
            throw .invalid("counter \(counter) of nftables: not readable: \(words.joined(separator: " "))")
        }
        return TrafficCount(messages: packets, bytes: bytes)
    }
}
