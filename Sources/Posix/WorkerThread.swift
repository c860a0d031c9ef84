import CDispatch  // Declares the pthread types, too; the compiler requires this import since the module uses Dispatch.
import Glibc

/// Starts threads for work that may block, which the cooperative pool must not run.
package enum WorkerThread {
    /// Carries the name and the body to the new thread.
    private final class Box: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs a body on a new, detached thread with all signals blocked.
    ///
    /// With SIGPIPE blocked, a write to a broken pipe returns an error and does not end the process. Other signals reach
    /// the threads that wait for them.
    ///
    /// - Parameters:
    ///   - name: the thread's name for `ps` and debuggers, at most 15 bytes.
    ///   - body: the work of the thread; the thread ends when it returns.
    /// - Throws: an error if the system allows no more threads.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let box = Unmanaged.passRetained(Box(name: name, body: body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        // The new thread inherits the signal mask of its creator.
        pthread_sigmask(SIG_SETMASK, &all, &before)
        var thread = pthread_t()
        let code = pthread_create(&thread, &attributes, Self.run, box.toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard code == 0 else {
            box.release()
            throw SystemError("pthread_create", code: code)
        }
    }

    /// Sets the name through a file, because Swift's C library module does not declare `pthread_setname_np`.
    ///
    /// A failure is ignored.
    private static func nameThread(_ name: String) {
        guard let file = try? FileDescriptor.open("/proc/thread-self/comm", O_WRONLY) else { return }
        Array(name.utf8).withUnsafeBytes { bytes in _ = try? file.write(bytes) }
    }

    private static let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
        guard let context else { return nil }
        let box = Unmanaged<Box>.fromOpaque(context).takeRetainedValue()
        nameThread(box.name)
        box.body()
        return nil
    }
}
