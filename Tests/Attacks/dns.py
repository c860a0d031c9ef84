"""DNS for the attacks.

serve               answers every question at 192.0.2.20 with that address, after 0.3 s
forge               from the attacker: answers to the victim's question that are not the server's
lookup              the victim looks up www.example.com, and calls the address of the answer and the forged one
"""
import socket, struct, sys, time

SERVER, ATTACKER, VICTIM = "192.0.2.20", "10.65.0.1", "10.65.0.2"
FORGED, PORT, ID = "192.0.2.66", 40053, 0x1234


def name(text):
    return b"".join(bytes([len(label)]) + label for label in text.encode().split(b".")) + b"\0"


def question(text):
    return name(text) + struct.pack("!HH", 1, 1)


def answer(number, asked, address):
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 300, 4) + socket.inet_aton(address)
    return struct.pack("!HHHHHH", number, 0x8180, 1, 1, 0, 0) + asked + record


def serve():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((SERVER, 53))
    print("ready", flush=True)
    while True:
        message, client = server.recvfrom(2048)
        time.sleep(0.3)
        server.sendto(answer(struct.unpack("!H", message[:2])[0], message[12:], SERVER), client)


def raw(source, source_port, payload):
    datagram = struct.pack("!HHHH", source_port, PORT, 8 + len(payload), 0) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 7, 0, 64, 17, 0,
                         socket.inet_aton(source), socket.inet_aton(VICTIM))
    return header + datagram


def forge():
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    asked = question("www.example.com")
    packets = [
        raw(SERVER, 53, answer(ID + 1, asked, FORGED)),  # another id
        raw(ATTACKER, 53, answer(ID, asked, FORGED)),  # another server
        raw(SERVER, 53, answer(ID, question("bank.example"), FORGED)),  # another question
        raw(SERVER, 53, answer(ID, asked, FORGED)[:28]),  # cut off
        raw(SERVER, 53, answer(ID, asked, FORGED)),  # right but for the interface it comes from
    ]
    for _ in range(5):
        for packet in packets:
            sender.sendto(packet, (VICTIM, 0))


def lookup():
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.bind((VICTIM, PORT))
    client.settimeout(5)
    client.sendto(struct.pack("!HHHHHH", ID, 0x0100, 1, 0, 0, 0) + question("www.example.com"), (SERVER, 53))
    print("asked", flush=True)
    while True:
        message, server = client.recvfrom(2048)
        if server == (SERVER, 53) and message[:2] == struct.pack("!H", ID) and message.endswith(socket.inet_aton(SERVER)):
            break
    time.sleep(1.5)
    for address in (SERVER, FORGED):
        caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        caller.sendto(b"call", (address, 7777))


{"serve": serve, "forge": forge, "lookup": lookup}[sys.argv[1]]()
