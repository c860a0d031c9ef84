import CWeir
import Dispatch
import Testing

@testable import Datapath

/// The thread that reads arguments of processes, which may let it wait.
struct ArgumentReaderTests {
    private func process(_ number: UInt32) -> ProcessIdentity {
        var owner = weir_socket_owner()
        (owner.process, owner.start) = (number, 7)
        return ProcessIdentity(owner)
    }

    @Test func answersAtOnceIfReadIsQuick() throws {
        let reader = try ArgumentReader { [UInt8($0.number)] }
        var prompt = 0
        for number in 1...100 as ClosedRange<UInt32> {
            let answer = ArgumentReader.Answer.read([UInt8(number)])
            if reader.arguments(of: process(number)) == answer {
                prompt += 1
            } else {
                // The thread was not scheduled for ten milliseconds.
                #expect(eventually { reader.arguments(of: process(number)) == answer })
            }
        }
        #expect(prompt > 50)
    }

    /// A read that waits delays neither the caller nor, once it is over, the other requests.
    @Test func waitingReadIsLate() throws {
        let gate = DispatchSemaphore(value: 0)
        let reader = try ArgumentReader { process in
            gate.wait()
            return process.number == 2 ? nil : [UInt8(process.number)]
        }
        let start = ContinuousClock.now
        for _ in 0..<100 {
            for number in 1...100 as ClosedRange<UInt32> { #expect(reader.arguments(of: process(number)) == .late) }
        }
        #expect(ContinuousClock.now - start < .seconds(5))
        // The first 64 requests wait, the others were refused.
        for _ in 0..<64 { gate.signal() }
        #expect(eventually { reader.arguments(of: process(64)) == .read([64]) })
        #expect(reader.arguments(of: process(1)) == .read([1]))
        #expect(reader.arguments(of: process(2)) == .read(nil))
    }
}
