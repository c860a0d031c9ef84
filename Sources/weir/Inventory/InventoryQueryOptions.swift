import ArgumentParser

/// The inventory sources of a command that queries once and exits, and the maximum waiting time.
struct InventoryQueryOptions: ParsableArguments {
    @OptionGroup var sources: InventoryOptions

    @Option(
        help: ArgumentHelp("How long to wait for the API server. Default: 30s.", valueName: "time"),
        transform: TimeArgument.init(parsing:)
    )
    var timeout = TimeArgument(seconds: 30)

    func validate() throws {
        guard !sources.isEmpty else {
            throw ValidationError("nothing to look in; give --inventory PATH, --kubernetes or --kubeconfig PATH")
        }
    }
}
