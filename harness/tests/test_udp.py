"""What the kernel counts for UDP sockets, and a socket as a program's stdin."""

import os
import socket

import pytest

from harness.kernel import netns, proc, udp


def test_drops(world):
    """What did not fit into the receive buffer is counted, for this socket only."""

    def work(stage, program):
        first, second, sender = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(3))
        for sock in (first, second):
            sock.setblocking(False)
            sock.bind((stage.address, stage.port()))
        first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        for _ in range(50):
            sender.sendto(b"x", first.getsockname())
            sender.sendto(b"x", second.getsockname())
        netns.flush_loopback()
        lost = udp.drops(os.fstat(first.fileno()).st_ino)
        kept = 0
        with pytest.raises(BlockingIOError):
            while first.recv(10):
                kept += 1
        assert 0 < kept < 50
        assert lost == 50 - kept
        assert udp.drops(os.fstat(second.fileno()).st_ino) == 0
        inode = os.fstat(first.fileno()).st_ino
        first.close()
        with pytest.raises(LookupError):
            udp.drops(inode)

    world(work)


def test_socket_as_stdin(world):
    """A program gets a socket of ours as its descriptor 0."""

    def work(stage, program):
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            where = [stage.address, str(stage.port())]
            process = program("listens").start("tcp", *where, stdin=sock)
            process.wait_asleep({"pause", "rt_sigsuspend", "ppoll"}, "bound")
            assert proc.socket_inodes(process.pid)[0] == os.fstat(sock.fileno()).st_ino
            assert process.stdin is None

    world(work)
