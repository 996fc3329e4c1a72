# SPDX-License-Identifier: Apache-2.0
"""What stands between Postern and a real backend, and cuts the connection at the
moment that a test names: with TLS or without, it counts pieces alone."""
import select
import socket
import struct
import threading

from ports import free_port

CLOSE, RESET, HALF = "close", "reset", "half"


class Trigger:
    """Shared by the cutters of one test: whichever comes first."""

    def __init__(self):
        self.lock = threading.Lock()
        self.event, self.how, self.skip = None, None, 0

    def arm(self, event, how, skip=0):
        """`event`: "accept", "command" (something comes from Postern) or
        "reply" (from the backend), after so many of them."""
        with self.lock:
            self.event, self.how, self.skip = event, how, skip

    @property
    def is_armed(self):
        return self.event is not None

    def pulled(self, event):
        """How to cut, now; None: go on."""
        with self.lock:
            if event != self.event:
                return None
            if self.skip:
                self.skip -= 1
                return None
            self.event = None
            return self.how


class Cutter:
    def __init__(self, target, trigger):
        self.target, self.trigger = target, trigger
        self.said = bytearray()  # by Postern, cut off or not
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"inet:127.0.0.1:{self.port}"

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,),
                             daemon=True).start()

    def _serve(self, near):
        with near:
            how = self.trigger.pulled("accept")
            if how:
                self._cut(near, b"", how)
                return
            with socket.create_connection(("127.0.0.1", self.target)) as far:
                try:
                    while self._pass_piece(near, far):
                        pass
                except OSError:
                    pass  # one of them has gone, so does the other

    def _pass_piece(self, near, far):
        for one in select.select([near, far], [], [])[0]:
            data = one.recv(1 << 16)
            if not data:
                return False
            if one is near:
                self.said += data
            how = self.trigger.pulled("command" if one is near else "reply")
            if how:
                self._cut(near, b"" if one is near else data, how)
                return False
            (far if one is near else near).sendall(data)
        return True

    @staticmethod
    def _cut(near, data, how):
        if how == HALF:
            near.sendall(data[:len(data) // 2])
        if how == RESET:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
