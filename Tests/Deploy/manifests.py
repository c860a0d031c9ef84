"""Compares the objects of chart and Kustomize bases with schemas, each other, and the resources that the program watches.

    manifests.py HELM KUBECTL     from the top of the clone
"""

import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import yaml

CHART = "deploy/helm/weir"
# The values for helm, and the Kustomize folder that must render the same objects, or None.
CASES = [
    (["namespace.create=true"], "deploy/kubernetes/base"),
    (["namespace.create=true", "privileged=false"], "deploy/kubernetes/overlays/least-privilege"),
    (["namespace.create=true", "monitoring.enabled=true"], "deploy/kubernetes/overlays/monitoring"),
    (["namespace.create=true", r"config.collect=tcp\,process"], "deploy/kubernetes/overlays/processes"),
    (
        ["namespace.create=true", "config.collect=dns", "config.dns-output=file:/var/log/calico/dnslogs/dns.log"],
        "deploy/kubernetes/overlays/dns",
    ),
    ([r"config.dns-output={tcp:dns:5171,file:/var/log/calico/dnslogs/dns.log;max-size=100M}", "hostPaths.dns=/srv/dns"], None),
    (["config.collect=dns", "config.dns-output=tcp:dns:5171"], None),
    (["config.collect=tcp"], None),
    (["config.collect={process-path}", "privileged=false", "hostPaths.cgroup=/sys/fs/cgroup/unified"], None),
    (["config.flowLogsCollectProcessInfo=true"], None),
    (["monitoring.enabled=true", "monitoring.tokenSecret=weir-token", "monitoring.podMonitorLabels.release=x"], None),
    (["audit.enabled=true", "hostPaths.audit=/var/log/kubernetes/audit", "config.store=/var/lib/weir/flows.db"], None),
    (["audit.enabled=true", "config.audit-output=file:/var/log/calico/auditlogs/audit.log"], None),
    (
        [
            r"config.audit-output={tcp:siem:5172,file:/var/log/calico/auditlogs/audit.log;max-size=1G}",
            "hostPaths.auditOutput=/srv/audit",
        ],
        None,
    ),
    (["audit.enabled=true", "config.audit-output=tcp:siem:5172"], None),
    (["audit.secret=weir-audit", "config.audit-listen=127.0.0.1:9466", "config.audit-token-file=/etc/weir-audit/token"], None),
    (["podLabels.team=net", "podAnnotations.a=b", "env[0].name=X", "env[0].value=y", "imagePullSecrets[0].name=z"], None),
    (["config.memory-limit=1G", "resources.limits.memory=2Gi"], None),
    ([r"config.output={file:/var/log/calico/flowlogs/flows.log,tcp:collector:5170}", "config.store=null"], None),
]
# Values that the chart must refuse.
BAD_VALUES = [
    "privilege=false",
    "config.output[1]=tcp:collector:5170",
    "image.repository=",
    "hostPaths.records=relative",
    "hostPaths.dns=relative",
    "hostPaths.dns=null",
    "hostPaths.auditOutput=relative",
    "monitoring.from=",
    "privileged=maybe",
]
# The oldest and the newest API that is checked.
VERSIONS = ["1.25", "1.30", "1.37"]
faults = []


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def fault(text):
    faults.append(text)
    print(f"error: {text}", file=sys.stderr)


def by_name(text):
    """The objects of a stream, by kind and name."""
    objects = [document for document in yaml.safe_load_all(text) if document]
    names = {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]): o for o in objects}
    if len(names) != len(objects):
        fault("an object is rendered twice")
    return names


def check_schemas(objects, what):
    for (kind, _, name), document in objects.items():
        if kind == "PodMonitor":
            check_pod_monitor(document)
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                fault(f"{what}: {kind} {name}, Kubernetes {version}: {error.message}")


def check_pod_monitor(document):
    """Checks the fields of a PodMonitor, since the schema of the Prometheus operator is not available."""
    allowed = {
        "spec": {"selector", "podMetricsEndpoints"},
        "endpoint": {"port", "path", "interval", "authorization", "relabelings"},
        "relabeling": {"sourceLabels", "targetLabel"},
    }
    spec = document["spec"]
    unknown = set(spec) - allowed["spec"]
    for endpoint in spec["podMetricsEndpoints"]:
        unknown |= set(endpoint) - allowed["endpoint"]
        for relabeling in endpoint["relabelings"]:
            unknown |= set(relabeling) - allowed["relabeling"]
    if document["apiVersion"] != "monitoring.coreos.com/v1" or unknown:
        fault(f"PodMonitor: {document['apiVersion']}, {unknown}")


def without_checksum(objects):
    """Removes Helm's annotation of the configuration, which Kustomize cannot make."""
    for document in objects.values():
        if document["kind"] == "DaemonSet":
            document["spec"]["template"]["metadata"]["annotations"].pop("checksum/config", None)
    return objects


def differences(left, right, path=""):
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(set(left) | set(right)):
            yield from differences(left.get(key), right.get(key), f"{path}.{key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, pair in enumerate(zip(left, right)):
            yield from differences(*pair, f"{path}[{index}]")
    elif left != right:
        yield f"{path}: {left!r} and {right!r}"


def check_parity(helm, kustomize, what):
    if helm.keys() != kustomize.keys():
        fault(f"{what}: helm and kustomize render other objects: {helm.keys() ^ kustomize.keys()}")
    for name in helm.keys() & kustomize.keys():
        for difference in differences(helm[name], kustomize[name]):
            fault(f"{what}: {name[0]} {name[2]}: helm and kustomize differ at {difference}")


def rights(rules):
    """Pairs of group and resource; a right to do more than list and watch is a fault."""
    result = set()
    for rule in rules:
        if "nonResourceURLs" in rule:
            if rule != {"nonResourceURLs": ["/apis/*"], "verbs": ["get"]}:
                fault(f"rights: {rule}")
            continue
        if sorted(rule["verbs"]) != ["list", "watch"]:
            fault(f"rights: {rule}: list and watch are enough")
        result |= {(group, resource) for group in rule["apiGroups"] for resource in rule["resources"]}
    return result


def watched_resources():
    """The resources that the program lists and watches, from its source."""
    source = Path("Sources/ClusterSource/Kubernetes/Reflector/WatchedResource.swift").read_text(encoding="utf-8")
    result = {("", plural) for plural in re.findall(r'core\(\s*\.\w+,\s*"(\w+)"', source)}
    result |= set(re.findall(r'group: "([\w.]*)",\s*version: "\w+",\s*plural: "(\w+)"', source))
    result |= {("policy.networking.k8s.io", plural) for plural in re.findall(r'admin\(\.\w+, "(\w+)"', source)}
    for plural in re.findall(r'calico\(\s*\.\w+,\s*"(\w+)"', source):
        names = [plural]
        # Calico's API server requires this right for policies in tiers.
        if plural.endswith("networkpolicies") and plural != "stagedkubernetesnetworkpolicies":
            names.append(f"tier.{plural}")
        result |= {(group, name) for group in ("projectcalico.org", "crd.projectcalico.org") for name in names}
    return result


def check_rights(role):
    given, needed = rights(role["rules"]), watched_resources()
    if len(needed) < 30:
        fault(f"WatchedResource.swift is not understood: {sorted(needed)}")
    for group, resource in sorted(given ^ needed):
        missing = (group, resource) in needed
        fault(f"ClusterRole: {resource}.{group} is {'needed and not given' if missing else 'given and not asked for'}")
    documented = re.search(r"```yaml\n(apiVersion: rbac.*?)```", Path("docs/inventory.md").read_text(encoding="utf-8"), re.S)
    if not documented or rights(yaml.safe_load(documented[1])["rules"]) != given:
        fault("docs/inventory.md: its ClusterRole is not that of the chart")


def configured(objects):
    """The settings of the program."""
    return yaml.safe_load(objects["ConfigMap", "weir-system", "weir"]["data"]["weir.yaml"])


def collected(objects):
    """The names of --collect in the configuration."""
    config = configured(objects)
    collect = config.get("collect") or []
    result = set(collect.split(",") if isinstance(collect, str) else collect)
    return result | ({"process"} if config.get("flowLogsCollectProcessInfo") else set())


def check_processes(objects, what):
    """Checks that hostPID is set only to collect TCP statistics or processes, and cgroups are mounted only for processes."""
    pod = objects["DaemonSet", "weir-system", "weir"]["spec"]["template"]["spec"]
    collects = collected(objects)
    reads_processes = any(name.startswith("process") for name in collects)
    if pod.get("hostPID", False) != (reads_processes or "tcp" in collects):
        fault(f"{what}: hostPID is {pod.get('hostPID')} with collect {sorted(collects)}")
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = pod["containers"][0]["volumeMounts"]
    cgroups = [m for m in mounts if volumes[m["name"]].get("hostPath", {}).get("path", "").startswith("/sys/fs/cgroup")]
    if len(cgroups) != reads_processes or any(not mount.get("readOnly") for mount in cgroups):
        fault(f"{what}: mounts of cgroups are {cgroups} with collect {sorted(collects)}")
    source = Path("Sources/Datapath/Sockets/CgroupTree.swift").read_text(encoding="utf-8")
    places = re.findall(r'"(/[\w/]*cgroup[\w/]*)"', source)
    for mount in cgroups:
        if mount["mountPath"] not in places or mount["mountPath"] == "/sys/fs/cgroup":
            fault(f"{what}: the program does not look for the node's cgroups at {mount['mountPath']}: {places}")


def check_files(objects, what):
    """Checks that the pod may write the folder of each file output, and other folders of logs only read."""
    pod = objects["DaemonSet", "weir-system", "weir"]["spec"]["template"]["spec"]
    made = {v["name"] for v in pod["volumes"] if v.get("hostPath", {}).get("type") == "DirectoryOrCreate"}
    mounts = pod["containers"][0]["volumeMounts"]
    folders = {m["mountPath"] for m in mounts if m["name"] in made and not m.get("readOnly")}
    config = configured(objects)
    outputs = [config[name] for name in ("output", "dns-output", "audit-output") if name in config]
    outputs = [text for value in outputs for text in ([value] if isinstance(value, str) else value)]
    files = [text.removeprefix("file:").split(";")[0] for text in outputs if text.startswith("file:")]
    for path in files:
        if str(Path(path).parent) not in folders:
            fault(f"{what}: the pod cannot write {path}: it has {sorted(folders)}")
    unused = folders - {str(Path(path).parent) for path in files} - {"/var/log/calico/flowlogs"}
    for folder in sorted(unused):
        if folder.startswith("/var/log/"):
            fault(f"{what}: the pod may write {folder}, and no output does")


def main():
    helm, kubectl = sys.argv[1:]
    print(output(helm, "lint", "--strict", CHART).strip().splitlines()[-1])
    for values, folder in CASES:
        settings = [argument for value in values for argument in ("--set", value)]
        objects = by_name(output(helm, "template", "weir", CHART, "--namespace", "weir-system", *settings))
        check_schemas(objects, " ".join(values))
        if folder:
            check_parity(without_checksum(objects), by_name(output(kubectl, "kustomize", folder)), folder)
        print(f"{len(objects)} objects with {' '.join(values)}{' = ' + folder if folder else ''}")
        check_rights(objects["ClusterRole", None, "weir"])
        check_processes(objects, " ".join(values))
        check_files(objects, " ".join(values))
    for value in BAD_VALUES:
        result = subprocess.run([helm, "template", "weir", CHART, "--set", value], capture_output=True, check=False)
        if result.returncode == 0:
            fault(f"the chart takes the value {value}")
    sys.exit(1 if faults else 0)


main()
