"""A network between a camera and the engine, and what may happen to it."""

import os
import selectors
import socket
import struct
import threading

CHUNK = 65536
CUT_AFTER = 3000  # bytes of a stream that is truncated: within a packet


class Proxy:
    """Passes TCP connections on to a server; one thread; gone with the block.

    In `mode` "pass" bytes go through, in "stall" none do, in "garbage" whoever
    connects is sent bytes that mean nothing, in "corrupt" every hundredth byte
    from the camera is another.
    """

    def __init__(self, upstream):
        self.upstream = upstream
        self.mode = "pass"
        self.listener = None
        self.selector = selectors.DefaultSelector()
        self.peer = {}
        self.cut_left = None
        self.lock = threading.Lock()
        self.ended = False
        self.port = 0
        self.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()
        self.cut()
        self.refuse()

    def listen(self):
        """Accept connections (again)."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(16)
        with self.lock:
            self.listener = listener
            self.port = listener.getsockname()[1]
            self.selector.register(listener, selectors.EVENT_READ)

    def refuse(self):
        """Nobody listens any more; connections that are open stay."""
        with self.lock:
            if self.listener is not None:
                self.selector.unregister(self.listener)
                self.listener.close()
                self.listener = None

    def cut(self):
        """Reset every connection."""
        with self.lock:
            for connection in list(self.peer):
                self._drop(connection)

    def truncate(self):
        """Cut each connection in the middle of what it sends next."""
        self.cut_left = CUT_AFTER

    def _drop(self, connection):
        other = self.peer.pop(connection, None)
        if other is None:
            return
        self.peer.pop(other, None)
        for end in (connection, other):
            self.selector.unregister(end)
            # An RST, as a host sends that does not know the connection any more.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()

    def _accept(self):
        client, _ = self.listener.accept()
        if self.mode == "garbage":
            try:
                client.settimeout(1)
                client.recv(CHUNK)
                client.sendall(os.urandom(CHUNK))
            except OSError:
                pass
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.upstream), 5)
        except OSError:
            client.close()
            return
        self.peer[client], self.peer[server] = server, client
        for end in (client, server):
            end.settimeout(5)
            self.selector.register(end, selectors.EVENT_READ, end is server)

    def _pass(self, connection, from_camera):
        try:
            data = connection.recv(CHUNK)
            if not data:
                raise OSError
            if from_camera and self.cut_left is not None:
                data = data[: self.cut_left]
                self.cut_left -= len(data)
            if from_camera and self.mode == "corrupt":
                wrong = bytearray(data)
                wrong[50::100] = bytes(byte ^ 0x5A for byte in wrong[50::100])
                data = bytes(wrong)
            self.peer[connection].sendall(data)
            if self.cut_left == 0:
                self.cut_left = None
                raise OSError
        except OSError:
            self._drop(connection)

    def _serve(self):
        while not self.ended:
            if self.mode == "stall":
                # Not even read: the sender meets a full window.
                threading.Event().wait(0.05)
                continue
            for key, _ in self.selector.select(0.05):
                with self.lock:
                    if key.fileobj is self.listener:
                        self._accept()
                    elif key.fileobj in self.peer:
                        self._pass(key.fileobj, key.data)
