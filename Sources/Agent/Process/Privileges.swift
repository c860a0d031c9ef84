import CWeir
import Datapath
package import Logging

/// The privileges of the process.
package enum Privileges {
    /// Drops all capabilities that a run does not use, raises the limit of open files, and prevents executed programs from
    /// gaining privileges.
    ///
    /// To be called before there is a second thread: each thread has capabilities of its own, and threads that are started
    /// later have no more than this one.
    ///
    /// - Parameters:
    ///   - bindsLowPort: whether the run will listen on a port below 1024.
    ///   - logger: for missing capabilities.
    package static func reduce(bindsLowPort: Bool, logger: Logger) {
        OpenFiles.raiseLimit(logger)
        let held = DatapathSurvey.capabilities
        var kept = Capability.all.reduce(UInt64(0)) { $0 | $1.bit }
        if bindsLowPort { kept |= netBindService }
        // Where CAP_SYS_ADMIN stands for the newer capabilities, it cannot be dropped.
        if Capability.all.contains(where: { $0.isImplied && held & $0.bit == 0 }) { kept |= Capability.everything }
        let result = weir_keep_capabilities(kept)
        guard result == 0 else {
            logger.warning("capabilities that are not needed cannot be given up", metadata: ["errno": "\(-result)"])
            return
        }
        let names = Capability.all.filter { held & $0.bit != 0 }.map(\.name)
        logger.debug("capabilities that are kept", metadata: ["capabilities": "\(names.joined(separator: " "))"])
        for capability in Capability.all
        where !capability.isRequired && held & (capability.bit | Capability.everything) == 0 {
            logger.notice("without \(capability.name): \(capability.cost)")
        }
    }

    private static let netBindService: UInt64 = 1 << 10
}
