# shellcheck shell=bash disable=SC2154
# a reset with a wrong sequence number, and a pause: the connection goes on in the same direction
enter
watch --aggregation-allowed 0
ip netns exec "$victim" python3 -c '
import socket
listener = socket.create_server(("10.65.0.2", 5432))
print("up", flush=True)
connection, _ = listener.accept()
while connection.recv(65536):
    pass' >"$folder/server" &
server=$!
until grep -q up "$folder/server"; do sleep 0.1; done
within "$attacker" python3 - "$router" "$attacks/send.py" <<'P'
import socket, subprocess, sys, time
s = socket.socket()
s.bind(("10.65.0.1", 1024))
s.connect(("10.65.0.2", 5432))
s.send(b"x" * 1000)
time.sleep(0.5)
subprocess.run([sys.executable, sys.argv[2], sys.argv[1], "reset", "1024", "5432"], check=True)
time.sleep(4)
for _ in range(20):
    s.send(b"y" * 1000)
    time.sleep(0.02)
s.close()
P
wait "$server"
calls 50
wait_for_records
finish
check direction 5432 attacker
check calls 50
