"""A code runner whose code has a network of its own, with one way out: a proxy that knows the permitted hosts."""
import ctypes, fcntl, json, os, socket, socketserver, struct, subprocess, sys, tempfile, threading
from urllib.parse import urlsplit

PERMITTED = set(sys.argv[1:])
DOOR = os.path.join(tempfile.mkdtemp(), "door")


class Proxy(socketserver.StreamRequestHandler):
    def handle(self):
        head = self.rfile.readline()
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            head += line
        method, target, _ = head.split(b"\r\n")[0].decode().split()
        url = urlsplit(target)
        try:
            # What is checked is what is connected to.
            address = socket.gethostbyname(url.hostname)
        except OSError:
            address = None
        if method != "GET" or address not in PERMITTED:
            self.wfile.write(b"HTTP/1.0 403 Forbidden\r\n\r\n")
            return
        with socket.create_connection((address, url.port or 80), 5) as upstream:
            upstream.sendall(f"GET {url.path} HTTP/1.0\r\nHost: {url.netloc}\r\n\r\n".encode())
            while part := upstream.recv(4096):
                self.wfile.write(part)


def pipe(source, sink):
    while part := source.recv(4096):
        sink.sendall(part)
    sink.shutdown(socket.SHUT_WR)


class Bridge(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(DOOR)
            threading.Thread(target=pipe, args=(self.request, door), daemon=True).start()
            pipe(door, self.request)


def boxed(code):
    """What stays in the box: user and network namespace, loopback with nothing on it but the bridge."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000 | 0x40000000) != 0:
        sys.exit("no namespaces here")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
    bridge = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Bridge)
    threading.Thread(target=bridge.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{bridge.server_address[1]}"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "http_proxy": address})
    sys.exit(done.returncode)


def run(code):
    words = [sys.executable, __file__, "--boxed", DOOR, code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


def serve():
    tool = {
        "name": "run_python",
        "description": "Runs Python code and returns what it prints",
        "inputSchema": {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]},
    }
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        answer = {"jsonrpc": "2.0", "id": message["id"]}
        match message["method"]:
            case "initialize":
                name = {"name": "boxed", "version": "1"}
                answer["result"] = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": name}
            case "tools/list":
                answer["result"] = {"tools": [tool]}
            case "tools/call":
                said = run(message["params"]["arguments"]["code"])
                answer["result"] = {"content": [{"type": "text", "text": said}]}
            case "ping":
                answer["result"] = {}
            case _:
                answer["error"] = {"code": -32601, "message": "no such method"}
        print(json.dumps(answer), flush=True)


if sys.argv[1:2] == ["--boxed"]:
    DOOR = sys.argv[2]
    boxed(sys.argv[3])
proxy = socketserver.ThreadingUnixStreamServer(DOOR, Proxy)
proxy.daemon_threads = True
threading.Thread(target=proxy.serve_forever, daemon=True).start()
serve()
