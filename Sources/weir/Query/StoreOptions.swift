import ArgumentParser
import Logging
import Export
import Store

/// Whether and how a run keeps its records in a store.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Keep records in this file too (SQLite), for weir query, weir ui and weir policy preview.",
            valueName: "path"
        )
    )
    var store: String?

    @Option(
        help: ArgumentHelp("The most bytes of the store; what is oldest goes first. Default: 1G.", valueName: "size")
    )
    var storeLimit = SizeArgument(bytes: StoreLimits().bytes)

    @Option(
        help: ArgumentHelp(
            "How long single records are kept, to 1000000h; sums of five minutes are kept for 60 days, of an hour for two "
                + "years. Default: 168h.",
            valueName: "time"
        ),
        transform: TimeArgument.init(parsing:)
    )
    var storeAge = TimeArgument(seconds: StoreLimits().recordAge)

    func validate() throws {
        guard store != "" else {
            throw ValidationError("--store: the path is empty; leave the option out for no store")
        }
        guard storeLimit.bytes >= 16 << 20 else {
            throw ValidationError("--store-limit \(storeLimit): 16M or more is needed")
        }
        guard storeAge.duration >= .seconds(3600) else {
            throw ValidationError("--store-age \(storeAge): 1h or more is needed")
        }
    }

    /// What writes the store; nil if there is to be none.
    ///
    /// - Throws: `CommandFailure` if the store cannot be opened.
    func tap(_ logger: Logger) throws -> QueuedTap? {
        guard let store else { return nil }
        var limits = StoreLimits()
        limits.bytes = storeLimit.bytes
        limits.recordAge = storeAge.duration.components.seconds
        return try StoreTap.make(store, limits: limits, logger: logger)
    }
}
