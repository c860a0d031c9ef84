"""Runs Weir on loopback with some traffic."""

import json
import socket
import subprocess
import time


def run_with_traffic(weir, scratch, *outputs):
    """Runs Weir for some seconds with outputs beside a file.

    Returns the records of the file, and the log."""
    file, log = scratch / "run.log", scratch / "run.txt"
    command = [
        weir, "run", "--interface", "lo", "--duration", "6s", "--flush-interval", "1s", "--aggregation-allowed", "1", "--no-pin",
        "--http", "off", "--socket", "off", "--with-host", "--output", f"file:{file}",
    ]
    for output in outputs:
        command += ["--output", output]
    receivers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(100)]
    senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in receivers]
    for receiver, sender in zip(receivers, senders):
        receiver.bind(("127.0.0.1", 0))
        sender.connect(receiver.getsockname())
    with open(log, "w") as text, subprocess.Popen(command, stderr=text) as process:
        while process.poll() is None:
            for sender in senders:
                sender.send(b"x" * 100)
            time.sleep(0.2)
    assert process.returncode == 0, log.read_text()
    return [json.loads(line) for line in file.read_text().splitlines()], log.read_text()
