"""Sends packets that a network stack would not send, through a packet socket: send.py ROUTER KIND ARGUMENTS.

udp SOURCE DESTINATION SOURCE-PORT PORT COUNT      under any source address, IPv4 or IPv6
fragments PROTOCOL PORT COUNT                      to 192.0.2.20; the first fragment has 8 bytes (RFC 791, section 3.2)
extensions HEADERS PORT COUNT                      IPv6 with so many extension headers (RFC 8200, section 4)
reset SOURCE-PORT PORT                             a reset of a connection to the victim, with any sequence number
"""
import socket
import struct
import sys

OWN, OUTSIDE, VICTIM = "10.65.0.1", "192.0.2.20", "10.65.0.2"


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def ipv4(source, destination, protocol, payload, number=0, offset=0, more=False):
    fields = (0x45, 0, 20 + len(payload), number, more << 13 | offset // 8, 64, protocol)
    ends = socket.inet_aton(source), socket.inet_aton(destination)
    header = struct.pack("!BBHHHBBH4s4s", *fields, 0, *ends)
    return struct.pack("!BBHHHBBH4s4s", *fields, checksum(header), *ends) + payload


def ipv6(source, destination, protocol, payload):
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination)
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload


def udp(source_port, port, data=b"x" * 10):
    return struct.pack("!HHHH", source_port, port, 8 + len(data), 0) + data


def udp_packets(source, destination, source_port, port, count):
    make = ipv6 if ":" in destination else ipv4
    return [make(source, destination, 17, udp(int(source_port), int(port)))] * int(count)


def fragments(protocol, port, count):
    tcp = struct.pack("!HHIIBBHHH", 50000, int(port), 1, 0, 0x50, 2, 1024, 0, 0) + b"y" * 100
    whole, number = (tcp, 6) if protocol == "tcp" else (udp(50000, int(port), b"y" * 100), 17)
    packets = []
    for identification in range(1, int(count) + 1):
        packets.append(ipv4(OWN, OUTSIDE, number, whole[:8], identification, 0, True))
        packets.append(ipv4(OWN, OUTSIDE, number, whole[8:], identification, 8))
    return packets


def extensions(headers, port, count):
    payload, following = udp(4444, int(port)), 17
    for _ in range(int(headers)):
        payload, following = struct.pack("!BBBB4s", following, 0, 1, 4, bytes(4)) + payload, 60
    return [ipv6("fd65::1", "2001:db8::20", following, payload)] * int(count)


def reset(source_port, port):
    tcp = struct.pack("!HHIIBBHHH", int(source_port), int(port), 0x12345678, 0, 0x50, 4, 0, 0, 0)
    pseudo = socket.inet_aton(OWN) + socket.inet_aton(VICTIM) + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    return [ipv4(OWN, VICTIM, 6, tcp)]


def main(router, kind, *arguments):
    makers = {"udp": udp_packets, "fragments": fragments, "extensions": extensions, "reset": reset}
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind(("eth0", 0))
    own = out.getsockname()[4]
    for packet in makers[kind](*arguments):
        ethertype = 0x86DD if packet[0] >> 4 == 6 else 0x0800
        out.send(bytes.fromhex(router.replace(":", "")) + own + struct.pack("!H", ethertype) + packet)


main(*sys.argv[1:])
