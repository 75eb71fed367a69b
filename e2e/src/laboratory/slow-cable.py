"""python3 slow-cable.py PORT TAP DELAY JITTER: carries frames between two interfaces, each DELAY ± JITTER ms late, in their order.

For kernels without netem. Ends when its input ends. Frames keep the header by which the kernel leaves checksums and segments to whoever
is next (virtio_net_hdr, 10 bytes), so nothing on either side has to be switched off.
"""

import fcntl
import os
import random
import select
import socket
import struct
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
ETH_P_ALL = 3
MOST = 70_000

port, tap, delay, jitter = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000, float(sys.argv[4]) / 1000

cable = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
cable.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
cable.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
cable.bind((port, 0))
# As if the interface were a switch's: frames for others come through, too.
cable.setsockopt(SOL_PACKET, 1, struct.pack("IHH8s", socket.if_nametoindex(port), 1, 0, b""))
switch = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(switch, TUNSETIFF, struct.pack("16sH22x", tap.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))


class Way:
    """Frames that are on their way in one direction."""

    def __init__(self, receive, send):
        self.receive, self.send = receive, send
        self.frames = deque()
        self.last = 0.0

    def take(self):
        due = time.monotonic() + delay + random.uniform(-jitter, jitter)
        self.last = max(self.last, due)
        self.frames.append((self.last, self.receive()))

    def deliver(self):
        now = time.monotonic()
        while self.frames and self.frames[0][0] <= now:
            try:
                self.send(self.frames.popleft()[1])
            except OSError:
                pass  # the other end is down: lost, as on any cable

    def wait(self):
        return max(0.0, self.frames[0][0] - time.monotonic()) if self.frames else 1.0


ways = {
    cable.fileno(): Way(lambda: cable.recv(MOST), lambda frame: os.write(switch, frame)),
    switch: Way(lambda: os.read(switch, MOST), cable.send),
}
print("ready", flush=True)
while True:
    ready, _, _ = select.select([0, *ways], [], [], min(way.wait() for way in ways.values()))
    if 0 in ready and not os.read(0, 1):
        break
    for end, way in ways.items():
        if end in ready:
            way.take()
        way.deliver()
