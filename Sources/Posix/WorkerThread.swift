import CDispatch  // Declares the pthread types too; since this module uses Dispatch the compiler wants it named.
import Glibc

/// Threads of their own, for what may wait: the cooperative pool has none to spare.
package enum WorkerThread {
    /// Carries a body to its thread.
    private final class Box: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs a body on a new thread, which is detached and gets no signals.
    ///
    /// Without signals a write to a broken pipe is an error here and does not end the process, and signals reach the
    /// threads that wait for them.
    ///
    /// - Parameters:
    ///   - name: at most 15 bytes, for `ps` and debuggers.
    ///   - body: what the thread does; the thread ends with it.
    /// - Throws: when the system allows no more threads.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let box = Unmanaged.passRetained(Box(name: name, body: body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        // The new thread inherits the mask of the one that makes it.
        pthread_sigmask(SIG_SETMASK, &all, &before)
        var thread = pthread_t()
        let code = pthread_create(&thread, &attributes, Self.run, box.toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard code == 0 else {
            box.release()
            throw SystemError("pthread_create", code: code)
        }
    }

    /// Through a file, because Swift's C library module does not show `pthread_setname_np`; a thread works without.
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
