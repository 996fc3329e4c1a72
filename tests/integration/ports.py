# SPDX-License-Identifier: Apache-2.0
"""Ports that no other test run on this machine uses at the same time.

A listener of Postern has SO_REUSEPORT: a second one on the same port would not
fail but take half of its connections. So a run first takes a block of ports for
itself, by binding an abstract socket's name; the kernel gives it back at exit.
"""
import itertools
import socket

FIRST, LAST, BLOCK = 10000, 32000, 500  # below the ephemeral ports


def _take_block():
    for first in range(FIRST, LAST, BLOCK):
        owner = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            owner.bind(f"\0postern-test-ports-{first}")
        except OSError:
            owner.close()
            continue
        return owner, first
    raise RuntimeError("no block of ports is free")


_owner, _first = _take_block()
_ports = itertools.cycle(range(_first, _first + BLOCK))


def _is_free(family, address, port):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def has_ipv6():
    return _is_free(socket.AF_INET6, "::1", 0)


def free_port():
    for port in itertools.islice(_ports, BLOCK):
        if _is_free(socket.AF_INET, "127.0.0.1", port) and (
            not has_ipv6() or _is_free(socket.AF_INET6, "::1", port)
        ):
            return port
    raise RuntimeError("no port is free")
