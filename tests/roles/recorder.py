"""A server that reads files and records it, over stdio: `recorder.py FORM[!HOLES] ROOT LOG`.

FORM is how a record is written. HOLES are letters: `d` records what is denied as what is permitted, `l` writes records
with whatever the caller sent in them.
"""

import datetime
import json
import os
import sys

sys.dont_write_bytecode = True
from stdio import serve, texts

form, _, holes = sys.argv[1].partition("!")
root, log = os.path.realpath(sys.argv[2]), sys.argv[3]
os.makedirs(os.path.dirname(log), mode=0o700, exist_ok=True)
calls = 0


def record(path, permitted):
    global calls
    calls += 1
    time = datetime.datetime.now(datetime.timezone.utc).isoformat()
    permitted = permitted or "d" in holes
    said = path if "l" in holes else json.dumps(path)
    if form == "status":
        line = json.dumps({"time": time, "call": calls, "path": path, "status": 200 if permitted else 403})
    elif form == "message":
        message = f"read {path}" + ("" if permitted else " denied by policy")
        line = json.dumps({"time": time, "message": message})
    elif form == "header":
        line = f"{time} {'ALLOWED' if permitted else 'DENIED'} call={calls} path={said}"
    elif form == "prose":
        line = f"{time[:19].replace('T', ' ')},123 - {'INFO' if permitted else 'WARNING'} - read_file: {said}"
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
        file.write(line + "\n")


def read(path):
    path = os.path.realpath(os.path.join(root, path))
    permitted = path.startswith(root + os.sep)
    record(path, permitted)
    if not permitted:
        raise ValueError("Access denied")
    with open(path) as file:
        return file.read()


serve("recorder", [(lambda given: read(given["path"]), "read_file", "Reads a file", texts("path"))])
