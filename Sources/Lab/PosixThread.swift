import Glibc

/// A thread outside the cooperative pool, for work that blocks or changes the state of its thread.
///
/// The thread blocks all signals, so that other threads receive them, and writing to a broken pipe is an error.
struct PosixThread: ~Copyable {
    private let thread: pthread_t

    /// Passes a body to its thread.
    private final class Box {
        let body: () -> Void

        init(_ body: @escaping () -> Void) {
            self.body = body
        }
    }

    /// Starts a thread that runs a body.
    init(_ body: @escaping () -> Void) throws(LabError) {
        let context = Unmanaged.passRetained(Box(body))
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        // The new thread inherits the signal mask of its creator.
        pthread_sigmask(SIG_SETMASK, &all, &before)
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, Self.entry, context.toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard code == 0 else {
            context.release()
            throw .system(operation: "start a thread", code: code)
        }
        self.thread = thread
    }

    /// Waits for the end of the thread.
    deinit {
        pthread_join(thread, nil)
    }

    private static let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
        guard let context else { return nil }
        Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body()
        return nil
    }

    /// Runs a body on a new thread, waits for its end, and returns its result.
    ///
    /// The caller is blocked meanwhile, so the body may use everything that the caller may use.
    static func run<Value, Failure: Error>(
        _ body: () throws(Failure) -> Value
    ) throws(LabError) -> Result<Value, Failure> {
        var result: Result<Value, Failure>?
        var problem: LabError?
        withoutActuallyEscaping({ result = Self.catching(body) }) { (escapable: @escaping () -> Void) in
            do throws(LabError) {
                _ = try PosixThread(escapable)
            } catch {
                problem = error
            }
        }
        guard let result else { throw problem ?? .invalid("a thread ended without a result") }
        return result
    }

    private static func catching<Value, Failure: Error>(
        _ body: () throws(Failure) -> Value
    ) -> Result<Value, Failure> {
        do throws(Failure) {
            return .success(try body())
        } catch {
            return .failure(error)
        }
    }
}
