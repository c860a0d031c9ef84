"""Writes the inventory of the attacks: two pods of the node n1; LABELS is how many bytes of labels the attacker has."""
import json
import os


def pod(name, number, labels):
    addresses = [f"10.65.0.{number}", f"fd65::{number}"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {"nodeName": "n1", "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "podIP": addresses[0], "podIPs": [{"ip": address} for address in addresses]},
    }


size = int(os.environ.get("LABELS", "0"))
labels = {f"label-{number:05}": "x" * 50 for number in range(size // 64)}
addresses = [{"type": "InternalIP", "address": address} for address in ("192.0.2.10", "2001:db8::10")]
items = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"addresses": addresses}},
    pod("attacker", 1, {"app": "attacker"} | labels),
    pod("victim", 2, {"app": "victim"}),
]
print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
