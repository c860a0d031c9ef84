import Testing

@testable import Datapath

/// The containers of processes by the names of their cgroups, as runtimes make them.
struct ContainerNameTests {
    private static let id = "4f3a" + String(repeating: "0123456789", count: 6)
    private static let other = "9e8d" + String(repeating: "abcdef0123", count: 6)

    @Test(
        arguments: [
            // containerd, CRI-O and Docker with systemd; the kubelet's and Docker's own names without.
            ("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-\(id).scope", id),
            ("0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice/crio-\(id).scope", id),
            ("0::/system.slice/docker-\(id).scope", id), ("0::/kubepods/burstable/pod1-2/\(id)", id),
            ("0::/docker/\(id)", id), ("0::/machine.slice/libpod-\(id).scope/container", id),
            // As another cgroup namespace shows it.
            ("0::/../../kubepods-pod1.slice/cri-containerd-\(id).scope", id),
            // A container with systemd, or with cgroups of other names, in it: the outer one counts.
            ("0::/system.slice/docker-\(id).scope/init.scope", id),
            ("0::/system.slice/docker-\(id).scope/cri-containerd-\(other).scope", id),
            // Version 1, with and without an empty version 2.
            ("12:pids:/docker/\(id)\n1:name=systemd:/docker/\(id)\n0::/\n", id),
            ("3:cpu,cpuacct:/kubepods/pod1/\(id)", id),
            // None.
            ("0::/", nil), ("0::/user.slice/user-0.slice/session-1.scope", nil), ("", nil), ("garbage", nil),
            ("0::/machine.slice/crio-conmon-\(id).scope", nil), ("0::/x/cri-containerd-\(id.uppercased()).scope", nil),
            ("0::/x/cri-containerd-\(id)0.scope", nil), ("0::/x/cri-containerd-.scope", nil),
        ] as [(String, String?)]
    )
    func returnsIdentifierOfOutermostContainer(text: String, expected: String?) {
        #expect(ContainerName.identifier(inMemberships: text) == expected)
    }
}
