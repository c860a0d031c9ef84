import Glibc

extension NetworkNamespace {
    /// Waits until interfaces can send and addresses can receive; the kernel prepares both in the background.
    ///
    /// The end of a veth pair that was up before the other end drops all packets until the kernel has noticed the carrier
    /// (linkwatch; since Linux 6.8, a query of the link speeds it up). The local route of an IPv6 address is added a moment
    /// after the address (addrconf); until then, packets to it are dropped.
    ///
    /// - Parameters:
    ///   - interfaces: names of interfaces that are up.
    ///   - addresses: addresses of the namespace.
    /// - Throws: ``LabError/timeout(operation:progress:)`` after five seconds.
    func waitUntilReady(_ interfaces: [String], _ addresses: [String]) throws(LabError) {
        let questions = interfaces.map { "link show dev \($0)\n" } + addresses.map { "route get \($0)\n" }
        let deadline = ContinuousClock.now + .seconds(5)
        while true {
            let answers = try command(["ip", "-oneline", "-batch", "-"], input: questions.joined())
            let ready = answers.split(separator: "\n").count { $0.hasPrefix("local ") || $0.contains(" state UP ") }
            if ready == questions.count { return }
            guard ContinuousClock.now < deadline else {
                throw .timeout(operation: "wait for interfaces and addresses", progress: answers)
            }
            _ = poll(nil, 0, 1)
        }
    }
}
