"""An HTTP server that behaves as its path says: the peer of client_test.c.

Prints its port, serves until its standard input ends. With a file name (certificate and key in one
PEM file) it speaks TLS.
"""
import email.utils
import hashlib
import http.server
import json
import ssl
import sys
import threading
import time

connections = 0
lock = threading.Lock()
most_at_once = at_once = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        global connections
        with lock:
            connections += 1
        super().setup()

    def log_message(self, *args):
        pass

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def any_method(self):
        global at_once, most_at_once
        with lock:
            at_once += 1
            most_at_once = max(most_at_once, at_once)
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            name = self.path.split("?")[0].strip("/").split("/")[-1].replace("-", "_")
            getattr(self, "on_" + name, self.on_echo)(body)
        finally:
            with lock:
                at_once -= 1

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = any_method

    def on_echo(self, body):
        self.answer(200, json.dumps({
            "method": self.command, "path": self.path, "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "headers": {name.lower(): value for name, value in self.headers.items()},
        }).encode())

    def on_counts(self, body):
        self.answer(200, b"%d %d" % (connections, most_at_once))

    def on_busy(self, body):
        self.answer(503, b"busy", Retry_After="7")

    def on_busy_date(self, body):
        self.answer(429, b"busy", Retry_After=email.utils.formatdate(time.time() + 60, usegmt=True))

    def on_busy_past(self, body):
        self.answer(503, b"busy", Retry_After="Fri, 31 Dec 1999 23:59:59 GMT")

    def on_busy_nonsense(self, body):
        self.answer(503, b"busy", Retry_After="soon")

    def on_busy_for_ever(self, body):
        self.answer(503, b"busy", Retry_After="99999999999999999")

    def on_slow(self, body):
        time.sleep(3)
        self.answer(200, b"slow")

    def on_nap(self, body):
        time.sleep(0.1)
        self.answer(200, self.path.encode())

    def on_cut(self, body):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 100)
        self.close_connection = True

    def on_silent_cut(self, body):
        self.close_connection = True

    def on_stale(self, body):
        # promises to keep the connection, and closes it
        self.answer(200, b"stale")
        self.close_connection = True

    def on_thousand(self, body):
        self.answer(200, b"x" * 1000)

    def on_huge(self, body):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for _ in range(4096):
                self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except OSError:
            pass
        self.close_connection = True

    def on_nonsense(self, body):
        self.wfile.write(b"+OK this is a mail server\r\n")
        self.close_connection = True

    def on_moved(self, body):
        self.answer(302, b"", Location="/echo")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", 0), Handler)
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
