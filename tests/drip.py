"""A server that drips an OpenAI stream for ever and says when its reader went away."""

import json
import socket
import threading
import time


class Drip:
    """A context manager; `closed_s` is when the client hung up, on `time.monotonic`."""

    def __init__(self, gap_s=0.05):
        self.gap_s = gap_s
        self.requests = []
        self.sent = 0
        self.closed_s = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(5)
        self._listener.close()

    def _serve(self):
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            with connection:
                self._answer(connection)

    def _answer(self, connection):
        connection.settimeout(5)
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(65536)
        self.requests.append(request)
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        try:
            connection.sendall(head.encode())
            while not self._over.is_set():
                choice = {"index": 0, "delta": {"content": "drip "}, "finish_reason": None}
                chunk = {"id": "d", "object": "chat.completion.chunk", "choices": [choice]}
                connection.sendall(f"data: {json.dumps(chunk)}\n\n".encode())
                self.sent += 1
                time.sleep(self.gap_s)
        except OSError:
            self.closed_s = time.monotonic()
