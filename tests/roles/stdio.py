"""Serves tools over stdio, for the servers beside it."""

import json
import sys


def serve(name, tools):
    """Answers until the input ends; a tool is a function of its arguments, a name, a description and a schema."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            result = answer(name, tools, message.get("method"), message.get("params") or {})
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


def answer(server, tools, method, params):
    if method == "initialize":
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": server, "version": "1"},
        }
    if method == "tools/list":
        return {
            "tools": [
                {"name": name, "description": description, "inputSchema": schema}
                for _, name, description, schema in tools
            ]
        }
    if method == "tools/call":
        try:
            function = next(function for function, name, *_ in tools if name == params["name"])
            text, failed = str(function(params.get("arguments") or {})), False
        except Exception as error:
            text, failed = f"Error: {error}", True
        return {"content": [{"type": "text", "text": text}], "isError": failed}
    return {}


def texts(*names):
    """The schema of arguments that are texts."""
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": list(names)}
