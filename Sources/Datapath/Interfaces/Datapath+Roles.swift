public import FlowModel

/// The role of each interface: a workload's, or the host's.
extension Datapath {
    /// Sets the addresses of workloads of this host: pods with a network of their own, not pods that use the host's.
    ///
    /// An interface is a workload's if a host route leads through it to one of them, or one of them has sent through it, unless
    /// the selection sets another role. Only changes are examined: each new address costs one request to the kernel.
    public func setWorkloadAddresses(_ addresses: Set<IPAddress>) {
        guard addresses != network.workloads else { return }
        network.replaceWorkloads(with: addresses)
        sightings.keep(workloads: addresses)
        assignRoles(layout.watched)
    }

    /// The selected interfaces and their roles.
    var layout: InterfaceLayout {
        var evidence = sightings.addresses.mapValues { RoleReason.sender($0) }
        for (index, address) in places.interfaces(of: network.workloads) { evidence[index] = .configured(address) }
        for (index, address) in network.workloadDevices { evidence[index] = .route(to: address) }
        return selection.layout(of: network.links.values, evidence: evidence)
    }

    /// Sets the present roles of the watched interfaces.
    ///
    /// Counting does not depend on roles: it continues, and the next births have the new one.
    func assignRoles(_ assignments: [UInt32: RoleAssignment]) {
        for (index, interface) in watched {
            guard !interface.isUpper, let assignment = assignments[index] else { continue }
            // If the addresses behind it are known, packets do not change its role.
            if assignment.isOpen, !places.isKnown(index) {
                sightings.open.insert(index)
            } else {
                sightings.open.remove(index)
            }
            guard assignment.role != interface.role else { continue }
            interface.role = assignment.role
            setRole(assignment.role, position: interface.position)
            onNotice(
                .roleChanged(name: interface.name, index: index, role: assignment.role, reason: assignment.reason)
            )
        }
    }

    /// Sets the role of the interface at a position, for the agent and for the programs that copy DNS messages.
    func setRole(_ role: InterfaceRole, position: Int) {
        roles[position] = role
        interfaces.setIsWorkload(role == .workload, position: position)
    }

    /// Whether an address belongs to a workload to which no interface is known to lead.
    func isUnplaced(_ address: IPAddress) -> Bool {
        network.workloads.contains(address) && network.device(of: address) == nil
            && places.owners(of: address).isEmpty && !ownAddresses.contains(address)
    }
}
