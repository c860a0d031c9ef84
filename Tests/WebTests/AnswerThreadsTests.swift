import API
import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Web

/// The threads for answers that take long, which limit how many run and wait, and have a low priority.
@Suite struct AnswerThreadsTests {
    private static func body(of answer: APIAnswer) -> String { String(decoding: answer.body, as: UTF8.self) }

    /// Two answers run, three wait, and the sixth is rejected at once; afterwards there is room again.
    @Test func limitsConcurrentAnswersAndRejectsExcess() async throws {
        let threads = AnswerThreads(threads: 2, waiting: 3)
        let gate = DispatchSemaphore(value: 0)
        let running = Atomic<Int>(0)
        let most = Atomic<Int>(0)
        let (begun, beginnings) = AsyncStream<Void>.makeStream()
        let answer: @Sendable (Int) async -> APIAnswer = { number in
            await threads.answer {
                most.max(running.add(1, ordering: .relaxed).newValue, ordering: .relaxed)
                beginnings.yield()
                gate.wait()
                running.subtract(1, ordering: .relaxed)
                return APIAnswer(body: Array("\(number)".utf8))
            }
        }
        let answers = await withTaskGroup { group in
            for number in 0..<2 { group.addTask { await answer(number) } }
            var started = begun.makeAsyncIterator()
            for _ in 0..<2 { await started.next() }
            // Both threads are busy now: of four more, the first three wait, in any order of arrival.
            for number in 2..<6 { group.addTask { await answer(number) } }
            let first = await group.next()
            #expect(first?.status == 429)
            #expect(first.map(Self.body(of:))?.contains("too_many_requests") == true)
            for _ in 0..<5 { gate.signal() }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count == 5 && answers.allSatisfy { $0.status == 200 })
        #expect(Set(answers.map(Self.body(of:))).count == 5)
        #expect(most.load(ordering: .relaxed) == 2)
        gate.signal()
        #expect(await answer(9).status == 200)
    }

    /// Only the answer threads have a lower priority than the threads of a run.
    @Test func threadsHaveLowerPriority() async {
        let nice = await AnswerThreads().run { getpriority(Int32(PRIO_PROCESS.rawValue), 0) }
        #expect(nice == 10)
        let pool = await Task.detached { getpriority(Int32(PRIO_PROCESS.rawValue), 0) }.value
        #expect(pool == 0)
    }
}
