"""A server of one tool, sound or with one hole, over stdio: `server.py TOOL[!HOLES] ROOT`.

HOLES are letters: `r` for what is read, `w` for what is written, `e` for the entries of archives.
"""

import json
import os
import sys

chosen_tool, _, holes = sys.argv[1].partition("!")
root = os.path.realpath(sys.argv[2])

TEXT = {"type": "string"}
FLAG = {"type": "boolean"}


def within(path, hole=None):
    """The path, if it lies in the root, or if the hole is open."""
    if hole and hole in holes:
        return os.path.join(root, path)
    real = os.path.realpath(os.path.join(root, path))
    if real != root and not real.startswith(root + os.sep):
        raise ValueError("Access denied: outside of the allowed directory")
    return real


TOOLS = {}


def tool(name, description, properties, required=None):
    """Makes a function of the arguments a tool; its own name says by which word it is chosen."""

    def register(function):
        schema = {
            "type": "object",
            "properties": properties,
            "required": list(properties) if required is None else required,
        }
        TOOLS[function.__name__] = (function, name, description, schema)
        return function

    return register


def save(path, content, permitted):
    path = within(path, "w")
    if os.path.exists(path) and not permitted:
        raise ValueError("File already exists")
    with open(path, "w") as file:
        file.write(content)
    return "saved"


@tool("write_file", "Writes a file", {"path": TEXT, "content": TEXT, "overwrite": FLAG}, ["path", "content"])
def gated(arguments):
    return save(arguments["path"], arguments["content"], arguments.get("overwrite"))


@tool(
    "write_file",
    "Writes a file",
    {"path": TEXT, "content": TEXT, "if_exists": {"enum": ["fail", "overwrite"], "default": "fail"}},
    ["path", "content"],
)
def chosen(arguments):
    return save(arguments["path"], arguments["content"], arguments.get("if_exists") == "overwrite")


@tool("create_file", "Creates a file", {"path": TEXT, "content": TEXT})
def never(arguments):
    return save(arguments["path"], arguments["content"], False)


@tool("read_file", "Reads a file", {"path": TEXT, "format": TEXT})
def told_format(arguments):
    if arguments["format"] not in ("raw", "lines"):
        raise ValueError(f"Invalid format {arguments['format']!r}. Supported: raw, lines")
    with open(within(arguments["path"], "r")) as file:
        return file.read()


@tool("file_op", "Works on a file", {"mode": TEXT, "path": TEXT, "content": TEXT}, ["mode", "path"])
def told_mode(arguments):
    if arguments["mode"] == "read":
        with open(within(arguments["path"], "r")) as file:
            return file.read()
    if arguments["mode"] == "write":
        return save(arguments["path"], arguments["content"], True)
    raise ValueError("mode must be one of: read, write")


@tool("perform", "", {})
def told_by_error(arguments):
    if "file_path" not in arguments:
        raise ValueError("missing required argument: file_path")
    with open(within(arguments["file_path"], "r")) as file:
        return file.read()


@tool("put_entry", "Stores an entry.\n\nArgs:\n    entry_path: where to\n    entry_text (str): what\n", {})
def told_by_description(arguments):
    return save(arguments["entry_path"], arguments["entry_text"], True)


def answer(method, params):
    function, name, description, schema = TOOLS[chosen_tool]
    if method == "initialize":
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "roles", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": [{"name": name, "description": description, "inputSchema": schema}]}
    if method == "tools/call":
        try:
            text, failed = str(function(params.get("arguments") or {})), False
        except Exception as error:
            text, failed = f"Error: {error}", True
        return {"content": [{"type": "text", "text": text}], "isError": failed}
    return {}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        result = answer(message.get("method"), message.get("params") or {})
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
