"""A server without tools, whose resources are files by a scheme of its own: `notes://{name}`, one segment, escaped."""
import json, os, re, sys
from urllib.parse import unquote

checked, root = sys.argv[1] == "checked", os.path.realpath(sys.argv[2])
SCHEME = "notes://"


def read(uri):
    if not re.fullmatch(SCHEME + "[^/]+", uri):
        raise ValueError("Unknown resource")
    path = os.path.join(root, unquote(uri[len(SCHEME):]))
    if checked and not os.path.realpath(path).startswith(root + "/"):
        raise ValueError("Unknown resource")
    with open(path) as file:
        return file.read()


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    method = message["method"]
    if method == "initialize":
        name = {"name": "notes", "version": "1"}
        answer["result"] = {"protocolVersion": "2025-06-18", "capabilities": {"resources": {}}, "serverInfo": name}
    elif method == "resources/list":
        answer["result"] = {"resources": []}
    elif method == "resources/templates/list":
        answer["result"] = {"resourceTemplates": [{"uriTemplate": SCHEME + "{name}", "name": "note"}]}
    elif method == "resources/read":
        uri = message["params"]["uri"]
        try:
            answer["result"] = {"contents": [{"uri": uri, "text": read(uri)}]}
        except (OSError, ValueError):
            answer["error"] = {"code": -32002, "message": "Unknown resource"}
    elif method == "ping":
        answer["result"] = {}
    else:
        answer["error"] = {"code": -32601, "message": "no such method"}
    print(json.dumps(answer), flush=True)
