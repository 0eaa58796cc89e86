#!/usr/bin/env python3
"""An HTTP proxy that does what is wished between a client and a real server.

usage: fault_proxy.py TARGET_PORT [LISTEN_PORT]      (127.0.0.1; port 0 or none takes a free one)
prints "READY port=N" and serves until its standard input ends or it is killed.

A wish is a JSON object, POSTed to /__faults (each replaces all there were; [] for none):
  {"do": "status", "status": 429, "times": 2, "match": "/_bulk",
   "headers": {"retry-after": "1"}, "body": "..."}
match: part of the path (default: all). times: how many requests it takes (default 1, -1: all).
over: only requests whose body is longer than so many bytes.
do:
  status   answer this and do not forward
  cut      close the connection and do not forward
  drop     forward, then close the connection without an answer: the target took it
  half     forward, then send half of the answer's body and close
  garble   forward, then replace bytes in the answer's body
  replace  forward, then answer 200 with `body`
  partial  of a _bulk, forward all but every third action, and answer those with 429
  delay    wait `seconds`, then forward
GET /__faults answers {"requests": N, "done": {"status": N, ...}, "paths": [...]}.
"""
import http.client
import http.server
import json
import socketserver
import sys
import threading
import time

LOCK = threading.Lock()
STATE = {"requests": 0, "done": {}, "paths": []}
WISHES = []


def take_wish(path, length):
    with LOCK:
        STATE["requests"] += 1
        STATE["paths"] = STATE["paths"][-199:] + [path]
        for wish in WISHES:
            meant = wish.get("match", "") in path and length > wish.get("over", -1)
            if meant and wish["times"] != 0:
                wish["times"] -= 1
                STATE["done"][wish["do"]] = STATE["done"].get(wish["do"], 0) + 1
                return wish
    return {"do": "forward"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target = 0

    def log_message(self, *args):
        pass

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def control(self, body):
        with LOCK:
            if self.command == "POST":
                WISHES[:] = [{"times": 1, **wish} for wish in json.loads(body)]
                STATE.update(requests=0, done={}, paths=[])
            self.answer(200, {}, json.dumps(STATE).encode())

    def forward(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=120)
        own = ("host", "connection", "content-length")
        headers = {k: v for k, v in self.headers.items() if k.lower() not in own}
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        got = response.read()
        connection.close()
        return response.status, {"content-type": response.headers.get("content-type", "")}, got

    def forward_partly(self, body):
        """Takes every third action out of a bulk, and puts a 429 in its place in the answer."""
        lines, actions = body.decode().splitlines(), []
        while lines:
            action = lines.pop(0)
            name = next(iter(json.loads(action)))
            actions.append((name, action, [] if name == "delete" else [lines.pop(0)]))
        kept = [a for i, a in enumerate(actions) if i % 3]
        items = []
        if kept:
            text = "".join("\n".join([a[1]] + a[2]) + "\n" for a in kept)
            items = json.loads(self.forward(text.encode())[2])["items"]
        for i in range(0, len(actions), 3):
            name, action, _ = actions[i]
            items.insert(i, {name: {
                "_id": json.loads(action)[name]["_id"], "status": 429,
                "error": {"type": "rejected_execution_exception", "reason": "by a proxy"}}})
        return json.dumps({"items": items}).encode()

    def close_now(self):
        self.close_connection = True
        self.connection.shutdown(2)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.startswith("/__faults"):
            return self.control(body)
        wish = take_wish(self.path, len(body))
        do = wish["do"]
        if do == "status":
            text = wish.get("body", "").encode()
            return self.answer(wish["status"], wish.get("headers", {}), text)
        if do == "cut":
            return self.close_now()
        if do == "delay":
            time.sleep(wish["seconds"])
        if do == "partial":
            return self.answer(200, {}, self.forward_partly(body))
        status, headers, got = self.forward(body)
        if do == "drop":
            return self.close_now()
        if do == "half":
            self.send_response_only(status)
            self.send_header("content-length", str(len(got)))
            self.end_headers()
            self.wfile.write(got[: len(got) // 2])
            return self.close_now()
        if do == "garble":
            got = got[: len(got) // 3] + b"\x00\xff{]" + got[len(got) // 3 + 4:]
        if do == "replace":
            status, got = 200, wish["body"].encode()
        return self.answer(status, headers, got)

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionError, OSError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = serve


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    Handler.target = int(sys.argv[1])
    server = Server(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Handler)
    print(f"READY port={server.server_address[1]}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


main()
