"""A server that says the key it was sent back, in every coding it knows, and what shows a key."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote


def codings(key):
    """Return a key as a server may say it back, by name."""
    percent = "".join(f"%{ord(sign):02X}" for sign in key)
    return {
        "plain": key,
        "upper": key.upper(),
        "quoted": quote(key, safe=""),
        "percent": percent,
        "hex": key.encode().hex(),
        "base64": base64.b64encode(key.encode()).decode(),
        "bearer": base64.b64encode(f"Bearer {key}".encode()).decode(),
        "basic": base64.urlsafe_b64encode(f"me:{key}".encode()).decode(),
        "starred": f"{key[:8]}********{key[-4:]}",
        "late": "x" * 230 + key,
        "split": key,
        "html": f"<html><body>{key}</body></html>",
        "broken": f'{{"error": "{key}',
        "stream": key,
        "word": key,
    }


def shown(key, text):
    """Return the codings of a key that stand in a text, most of them decoded first."""
    plain = unquote(text).lower()
    found = [] if key.lower() not in plain else ["plain"]
    found += ["hex"] if key.encode().hex() in text.lower() else []
    for shift in range(3):  # whole groups of the middle: they do not depend on the neighbours
        code = base64.b64encode(bytes(shift) + key.encode()).decode()[4:-4]
        joined = text.replace("-", "+").replace("_", "/")
        found += [f"base64 at {shift}"] if code in joined or code in text else []
    found += ["beginning"] if key[:14].lower() in plain else []
    return found


class Echo(BaseHTTPRequestHandler):
    """Answers as the model's name says; `seen` holds the bodies."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append(body)
        sent = self.headers.get("authorization", "") + self.headers.get("x-api-key", "")
        key = sent.removeprefix("Bearer ")
        self.server.keys.add(key)
        how = json.loads(body)["model"]
        said = codings(key).get(how, key)
        status = {"stream": 200, "word": 200, "refused": 401}.get(how, 400)
        kind = "text/html" if how == "html" else "application/json"
        data = json.dumps({"error": {"message": f"bad key {said}", "type": said, "param": said}})
        if how in {"html", "broken"}:
            data = said
        if how == "stream":
            kind, data = "text/event-stream", f"data: {data}\n\n"
        if how == "word":
            data = said * 3
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("x-echo", key)
        self.send_header("x-echo-coded", codings(key)["base64"])
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self._write(data.encode(), in_pieces=how == "split")

    def do_GET(self):
        self.do_POST() if "content-length" in self.headers else self.send_error(500)

    def _write(self, data, *, in_pieces):
        for at in range(0, len(data), 30) if in_pieces else ():
            self.wfile.write(data[at : at + 30])
            self.wfile.flush()
            time.sleep(0.005)
        if not in_pieces:
            self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


class EchoServer(ThreadingHTTPServer):
    """`with EchoServer() as server`: it listens at `server.url`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Echo)
        self.seen = []
        self.keys = set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join(5)
        self.server_close()
