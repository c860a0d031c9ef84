import Agent
import Datapath
import FlowModel
import Foundation
import Testing

struct AccountReportTests {
    private func account(_ name: String, _ index: UInt32, unit: UInt64, remainder: UInt64 = 0) -> InterfaceAccount {
        var direction = DirectionAccount()
        direction.flows = TrafficCounters(packets: unit, bytes: 100 * unit)
        direction.overflow = TrafficCounters(packets: 2, bytes: 200)
        direction.notIP = TrafficCounters(packets: 3, bytes: 180)
        direction.unparsed = TrafficCounters(packets: 10, bytes: 400)
        direction.unparsedReasons.link = 1
        direction.unparsedReasons.network = 2
        direction.unparsedReasons.extension = 3
        direction.unparsedReasons.transport = 4
        direction.remainder = TrafficCounters(packets: remainder, bytes: remainder * 50)
        direction.denied.seen = TrafficCounters(packets: unit + 1, bytes: 60 * unit + 40)
        direction.denied.flows = TrafficCounters(packets: unit, bytes: 60 * unit)
        direction.denied.overflow = TrafficCounters(packets: 1, bytes: 40)
        direction.seen = TrafficCounters(packets: unit + 15 + remainder, bytes: 100 * unit + 780 + remainder * 50)
        direction.skb = TrafficCounters(packets: unit + 9, bytes: 90 * unit)
        return InterfaceAccount(
            name: name,
            index: index,
            role: .workload,
            ingress: direction,
            egress: DirectionAccount()
        )
    }

    private static let zero = #"{"bytes":0,"packets":0}"#
    private static let nothing =
        #"{"denied":{"flows":\#(zero),"overflow":\#(zero),"remainder":\#(zero),"seen":\#(zero)},"flows":\#(zero),"gap":\#(zero),"lost":\#(zero),"not_ip":\#(zero),"overflow":\#(zero),"remainder":\#(zero),"seen":\#(zero),"skb":\#(zero),"#
        + #""unparsed":\#(zero),"unparsed_reasons":{"extension":0,"link":0,"network":0,"transport":0}}"#

    @Test func encodesAsOneLineOfJSON() {
        let report = AccountReport([account("cali1", 7, unit: 5, remainder: 1)])
        let ingress =
            #"{"denied":{"flows":{"bytes":300,"packets":5},"overflow":{"bytes":40,"packets":1},"#
            + #""remainder":{"bytes":0,"packets":0},"seen":{"bytes":340,"packets":6}},"#
            + #""flows":{"bytes":500,"packets":5},"gap":{"bytes":0,"packets":0},"lost":{"bytes":0,"packets":0},"#
            + #""not_ip":{"bytes":180,"packets":3},"#
            + #""overflow":{"bytes":200,"packets":2},"remainder":{"bytes":50,"packets":1},"seen":{"bytes":1330,"packets":21},"#
            + #""skb":{"bytes":450,"packets":14},"unparsed":{"bytes":400,"packets":10},"#
            + #""unparsed_reasons":{"extension":3,"link":1,"network":2,"transport":4}}"#
        let interface =
            #"{"egress":\#(Self.nothing),"ifindex":7,"ingress":\#(ingress),"interfaces":1,"name":"cali1","role":"workload"}"#
        #expect(
            report.json
                == #"{"balanced":true,"interfaces":[\#(interface)],"totals":{"egress":\#(Self.nothing),"#
                + #""ingress":\#(ingress)}}"# + "\n"
        )
    }

    @Test func totalsAreTheSumsOfTheInterfaces() {
        let report = AccountReport([account("a/b", 1, unit: 5), account("b", 2, unit: 1_000, remainder: 3)])
        let ingress = report.totals.ingress
        #expect(Count(ingress.flows) == Count(1_005, 100_500))
        #expect(Count(ingress.overflow) == Count(4, 400))
        #expect(Count(ingress.notIP) == Count(6, 360))
        #expect(Count(ingress.unparsed) == Count(20, 800))
        #expect(Count(ingress.denied.seen) == Count(1_007, 60_380))
        #expect(Count(ingress.remainder) == Count(3, 150))
        #expect(Count(ingress.seen) == Count(1_038, 102_210))
        #expect(Count(ingress.skb) == Count(1_023, 90_450))
        #expect(ingress.unparsedReasons.transport == 8)
        #expect(Count(report.totals.egress.seen) == Count())
        #expect(report.balanced)
    }

    @Test func balanceIsCheckedPerInterface() {
        var short = account("a", 1, unit: 5)
        var long = account("b", 2, unit: 5)
        short.ingress.seen.packets += 1
        #expect(!AccountReport([short]).balanced)
        long.ingress.seen.packets -= 1
        #expect(!AccountReport([short, long]).balanced)
        var denied = account("d", 4, unit: 5)
        denied.ingress.denied.seen.packets += 1
        #expect(!AccountReport([denied]).balanced)
        var bytes = account("c", 3, unit: 5)
        bytes.egress.seen.bytes = 1
        #expect(!AccountReport([bytes]).balanced)
    }

    @Test func reportRoundTripsThroughJSON() throws {
        let report = AccountReport([account("a", 1, unit: .max / 200), account("b", 2, unit: 1)])
        #expect(try JSONDecoder().decode(AccountReport.self, from: Data(report.json.utf8)) == report)
    }

    @Test func reportWithoutInterfacesIsBalanced() {
        let report = AccountReport([])
        #expect(report.balanced)
        #expect(report.json.contains(#""interfaces":[]"#))
    }
}
