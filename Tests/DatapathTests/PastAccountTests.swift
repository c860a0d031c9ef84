import FlowModel
import Testing

@testable import Datapath

@Suite("Accounts of removed interfaces")
struct PastAccountTests {
    private func account(_ number: Int, isBalanced: Bool = true) -> InterfaceAccount {
        var ingress = DirectionAccount()
        ingress.flows = TrafficCounters(packets: UInt64(number), bytes: UInt64(number) * 100)
        ingress.seen = isBalanced ? ingress.flows : ingress.flows + TrafficCounters(packets: 1, bytes: 1)
        return InterfaceAccount(
            name: "v\(number)",
            index: UInt32(number),
            role: .workload,
            ingress: ingress,
            egress: DirectionAccount()
        )
    }

    private func total(_ accounts: [InterfaceAccount]) -> TrafficCounters {
        accounts.reduce(.zero) { $0 + $1.ingress.seen }
    }

    @Test func boundsNumberAndKeepsExactSum() {
        var past = PastAccounts(limit: 100)
        let reason = DropReason(name: "NETFILTER_DROP", isDecision: true)
        for number in 1...5000 {
            past.addDrops(of: "v\(number)", [(reason, 2)], unparsed: 1)
            past.add(account(number))
            #expect(past.all.count <= 101)
        }
        let all = past.all
        #expect(total(all) == TrafficCounters(packets: 5000 * 5001 / 2, bytes: 100 * 5000 * 5001 / 2))
        #expect(all.reduce(0) { $0 + $1.interfaces } == 5000)
        #expect(all.allSatisfy { $0.isBalanced })
        // The newest are kept as they are.
        #expect(all.contains { $0.name == "v5000" && $0.interfaces == 1 })
        #expect(all.last?.name == PastAccounts.olderName)
        let drops = past.drops(with: [("v5000", [(reason, 1)]), ("w", [(reason, 3)])])
        #expect(drops.count <= 103)
        #expect(drops.reduce(0) { $0 + $1.packets } == 10_004)
        #expect(drops.first { $0.interface == "v5000" }?.packets == 3)
        #expect(past.unparsedDrops == 5000)
    }

    @Test func keepsAccountsSeparateBelowLimit() {
        var past = PastAccounts(limit: 100)
        for number in 1...100 { past.add(account(number)) }
        #expect(past.all.map(\.name) == (1...100).map { "v\($0)" })
    }

    /// A sum with an unbalanced account is unbalanced.
    @Test func sumKeepsImbalance() {
        var past = PastAccounts(limit: 4)
        past.add(account(1, isBalanced: false))
        for number in 2...20 { past.add(account(number)) }
        #expect(past.all.count { !$0.isBalanced } == 1)
        #expect(past.all.last?.isBalanced == false)
    }
}
