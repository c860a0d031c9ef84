import FlowModel

/// An interface that is being watched, or an upper device whose packets are counted on watched ones below it.
final class WatchedInterface {
    /// The name under which it is watched.
    var name: String
    /// The role.
    var role: InterfaceRole
    /// The position in the interface table.
    let position: Int
    /// Whether only drops behind it are of interest.
    let isUpper: Bool
    /// The programs; nil for an upper device, and while they cannot be put back.
    var attachment: Attachment?
    /// Its traffic while its programs were removed.
    var gap = LinkCounters.Reading()
    /// The counts of the kernel and of the programs when the programs were last seen there.
    var sample: Sample?

    /// Two counts of the same packets as of one moment.
    struct Sample {
        var kernel: LinkCounters.Reading
        var programs: LinkCounters.Reading
    }

    /// Takes a watched interface with its programs.
    init(name: String, role: InterfaceRole, position: Int, attachment: consuming Attachment) {
        self.name = name
        self.role = role
        self.position = position
        self.attachment = .some(consume attachment)
        isUpper = false
    }

    /// Makes an interface that a previous agent watched, and that is no longer watched.
    init(former name: String, role: InterfaceRole, position: Int, isUpper: Bool) {
        self.name = name
        self.role = role
        self.position = position
        self.isUpper = isUpper
    }

    /// Takes an upper device.
    init(upper name: String, position: Int) {
        self.name = name
        role = .host
        self.position = position
        isUpper = true
    }
}
