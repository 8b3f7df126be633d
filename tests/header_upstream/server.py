"""A server over streamable HTTP that asks the service behind it, and how it finds it: `server.py PORT STYLE`."""

import http.client
import ipaddress
import json
import os
import socket
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, STYLE = int(sys.argv[1]), sys.argv[2]
NAMES = {"usual": "X-Target-Url", "product": "X-Quill-Url", "host": "X-Quill-Host"}
HEADER = NAMES.get(STYLE, "X-Depot-Base")
TOLD = "" if STYLE in NAMES else f" The depot is at the URL in {HEADER}."
if STYLE == "token":
    TOLD += " X-Depot-Token must be there too."
DEFAULT = os.environ.get("API_URL", "")


def place(headers):
    """Where the service is for this request."""
    given = headers.get(HEADER, "")
    if STYLE in ("ignored", "passed-on") or not given:
        return DEFAULT
    if STYLE == "host":
        return f"http://{given}"
    if STYLE == "origin":
        parts = urllib.parse.urlsplit(given)
        return f"{parts.scheme}://{parts.netloc}"
    if STYLE == "token" and not headers.get("X-Depot-Token"):
        return DEFAULT
    if STYLE == "listed" and urllib.parse.urlsplit(given).hostname != "depot.example.org":
        raise PermissionError("not an origin of ours")
    return given


def checked(name):
    """The address of a host, if it may be asked."""
    if STYLE == "literal":
        try:
            if not ipaddress.ip_address(name).is_global:
                raise PermissionError("not public")
        except ValueError:
            pass
    address = socket.gethostbyname(name)
    if STYLE in ("checked", "door") and not ipaddress.ip_address(address).is_global:
        raise PermissionError("not public")
    return address


def ask(headers):
    base = place(headers)
    if not base:
        raise ValueError("no depot")
    parts = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(checked(parts.hostname), parts.port or 80, timeout=5)
    more = {key: value for key, value in headers.items() if key.lower().startswith("x-")} if STYLE == "passed-on" else {}
    connection.request("GET", parts.path.rstrip("/") + "/stock", headers={"Host": parts.netloc, **more})
    return connection.getresponse().read().decode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, value=None):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(405)

    def do_DELETE(self):
        self.reply(405)

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if STYLE == "crowded" and len(self.headers) > 24:
            return self.reply(431)
        if STYLE == "door":
            try:
                place(self.headers) and checked(urllib.parse.urlsplit(place(self.headers)).hostname)
            except PermissionError:
                return self.reply(403)
        if "id" not in message:
            return self.reply(202)
        self.reply(200, {"jsonrpc": "2.0", "id": message["id"], **self.answer(message)})

    def answer(self, message):
        method = message["method"]
        if method == "initialize":
            return {
                "result": {
                    "protocolVersion": message["params"]["protocolVersion"],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "quill-mcp", "version": "1"},
                }
            }
        if method == "tools/list":
            tool = {
                "name": "show_stock",
                "description": f"Show what is in stock.{TOLD}",
                "inputSchema": {"type": "object", "properties": {}},
            }
            return {"result": {"tools": [tool]}}
        if method == "tools/call":
            try:
                text, bad = ask(self.headers), False
            except (OSError, ValueError) as error:
                text, bad = f"Error: {error}", True
            return {"result": {"content": [{"type": "text", "text": text}], "isError": bad}}
        return {"error": {"code": -32601, "message": "Method not found"}}


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
