"""A bad line between two network namespaces: every packet is late, some are lost.

    link.py NAMESPACE_A ADDRESS_A NAMESPACE_B ADDRESS_B DELAY_MS LOSS_PERCENT

Needs root and two namespaces that exist. Makes a TUN device for each side, moves it into its
namespace, prints "up" and carries packets until standard input ends. The delay is one way. The
devices go when the program ends.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
# packets that wait in one direction; more are dropped, as a router would
QUEUE = 4000


def device(name, namespace, address):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    for command in (
        f"ip link set {name} netns {namespace}",
        f"ip -n {namespace} addr add {address}/24 dev {name}",
        f"ip -n {namespace} link set {name} up",
        f"ip -n {namespace} link set lo up",
    ):
        subprocess.run(command.split(), check=True)
    return fd


def carry(ends, delay, loss):
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    waiting = []
    inside = dict.fromkeys(ends, 0)
    number = 0
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([0, *ends], [], [], timeout)
        if 0 in ready and not os.read(0, 4096):
            return
        now = time.monotonic()
        for fd in ends:
            while fd in ready:
                try:
                    packet = os.read(fd, 2048)
                except BlockingIOError:
                    break
                if inside[fd] < QUEUE and random.random() >= loss:
                    number += 1
                    inside[fd] += 1
                    heapq.heappush(waiting, (now + delay, number, fd, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, fd, packet = heapq.heappop(waiting)
            inside[fd] -= 1
            try:
                os.write(other[fd], packet)
            except OSError:
                pass  # as if it had been lost


def main():
    a, address_a, b, address_b, delay, loss = sys.argv[1:]
    tag = os.getpid() % 100_000
    ends = (device(f"mv{tag}a", a, address_a), device(f"mv{tag}b", b, address_b))
    print("up", flush=True)
    carry(ends, float(delay) / 1000, float(loss) / 100)


main()
