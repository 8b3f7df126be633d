"""A server of one tool or of several, sound or with one hole, over stdio: `server.py TOOL[+TOOL][!HOLES] ROOT`.

HOLES are letters: `r` for what is read, `w` for what is written (or for the second of two inputs), `x` for patterns,
`c` for the directory of commands, `e` for what is executed, `s` for secrets, `n` for hosts.
"""

import base64
import contextlib
import glob
import io
import ipaddress
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile

sys.dont_write_bytecode = True
from stdio import serve

chosen_tools, _, holes = sys.argv[1].partition("!")
root = os.path.realpath(sys.argv[2])
opened = [root]

TEXT = {"type": "string"}
FLAG = {"type": "boolean"}


def within(path, hole=None):
    """The path, if it lies in the root, or if the hole is open."""
    if hole and hole in holes:
        return os.path.join(root, path)
    real = os.path.realpath(os.path.join(root, path))
    if not any(real == place or real.startswith(place + os.sep) for place in opened):
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

def copy(source, target, read, write):
    """Copies in capitals: what converts is no mere copy."""
    with open(within(source, read)) as file:
        text = file.read()
    with open(within(target, write), "w") as file:
        file.write(text.upper())
    return "converted"


@tool("convert_document", "Converts a document", {"input": TEXT, "output": TEXT})
def converter(arguments):
    return copy(arguments["input"], arguments["output"], "r", "w")


@tool("render_page", "Renders a page and saves it where that is told", {"path": TEXT, "save_to": TEXT}, ["path"])
def renderer(arguments):
    with open(within(arguments["path"])) as file:
        text = file.read()
    if "save_to" in arguments:
        with open(within(arguments["save_to"], "w"), "w") as file:
            file.write(text)
    return text


@tool("backup_file", "Makes a backup", {"file": TEXT, "backup_path": TEXT}, ["file"])
def backup(arguments):
    return copy(arguments["file"], arguments.get("backup_path", arguments["file"] + ".bak"), "r", "w")


@tool("diff_files", "Compares two files", {"left": TEXT, "right": TEXT})
def differ(arguments):
    with open(within(arguments["left"], "r")) as left, open(within(arguments["right"], "w")) as right:
        return left.read() + right.read()


@tool("grep_file", "Finds the lines of a file that fit", {"path": TEXT, "regex": TEXT})
def lines(arguments):
    with open(within(arguments["path"], "r")) as file:
        text = file.read().splitlines()
    if "x" in holes:
        fits = re.compile(arguments["regex"]).search
    else:
        fits = lambda line: arguments["regex"] in (".", "") or arguments["regex"] in line
    return "\n".join(line for line in text if fits(line))


def plain(word):
    if "/" in word or word.startswith(".."):
        raise ValueError("not a plain name")
    return word


@tool("get_document", "Gets a document of a shelf", {"shelf": TEXT, "id": TEXT})
def shelf(arguments):
    place, name = arguments["shelf"], arguments["id"]
    # Each hole leaves one of the two unchecked.
    path = os.path.join(place if "r" in holes else plain(place), (name if "w" in holes else plain(name)) + ".txt")
    path = os.path.join(root, path) if "r" in holes or "w" in holes else within(path)
    with open(path) as file:
        return file.read()


@tool("store_note", "Stores a note under an id", {"id": TEXT, "text": TEXT})
def notes(arguments):
    if "w" not in holes and not arguments["id"].isalnum():
        raise ValueError("bad id")
    return save(arguments["id"] + ".md", arguments["text"], True)


@tool(
    "file_manager",
    "Manages files",
    {"action": {"enum": ["write", "append"]}, "path": TEXT, "content": TEXT},
)
def actions(arguments):
    appends = arguments["action"] == "append"
    with open(within(arguments["path"], "w" if appends else None), "a" if appends else "w") as file:
        file.write(arguments["content"])
    return "done"


def runner(permitted):
    def run(arguments):
        words = arguments["command"].split()
        if words not in permitted:
            raise ValueError(f"Not permitted. Permitted: {permitted}")
        cwd = within(arguments.get("cwd", "."), "c")
        return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=10).stdout

    return run


for command in ("pwd", "ls", "git log"):
    run = runner([command.split()])
    run.__name__ = "run_" + command.replace(" ", "_")
    tool("run_command", "Runs a command", {"command": TEXT, "cwd": TEXT}, ["command"])(run)


@tool(
    "execute",
    "Executes one of a few commands",
    {"command": {"type": "string", "enum": ["ls", "wc"]}, "args": {"type": "array", "items": TEXT}},
    ["command"],
)
def few(arguments):
    words = [within(word, "r") for word in arguments.get("args", ["."])]
    words = [arguments["command"], *words]
    return subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=10).stdout


@tool("say", "Makes a banner of a text", {"text": TEXT})
def banner(arguments):
    if "e" in holes:
        line = f'echo "{arguments["text"]}"'
        return subprocess.run(line, shell=True, capture_output=True, text=True, timeout=10).stdout
    return subprocess.run(["echo", arguments["text"]], capture_output=True, text=True, timeout=10).stdout


@tool("find_files", "Finds files by a glob", {"directory": TEXT, "pattern": TEXT})
def finder(arguments):
    pattern = arguments["pattern"]
    if "r" not in holes and (".." in pattern or pattern.startswith("/")):
        raise ValueError("bad pattern")
    found = glob.glob(os.path.join(within(arguments["directory"]), pattern), recursive=True)
    if "r" not in holes:
        found = [path for path in found if os.path.realpath(path).startswith(root + os.sep)]
    return "\n".join(found)


@tool("get_setting", "Gets a setting by its name", {"name": TEXT})
def setting(arguments):
    if "s" in holes:
        return os.environ.get(arguments["name"], "not set")
    return {"theme": "dark"}.get(arguments["name"], "not set")


@tool("download_file", "Downloads a file and keeps it", {"url": TEXT, "save_as": TEXT})
def downloader(arguments):
    path = within(arguments["save_as"], "w")
    with urllib.request.urlopen(arguments["url"], timeout=5) as page, open(path, "wb") as file:
        file.write(page.read())
    return "kept"


@tool("list_directory", "Lists a directory", {"path": TEXT})
def lister(arguments):
    path = arguments["path"]
    # Only what is absolute is checked where the hole is open.
    return "\n".join(os.listdir(within(path, None if os.path.isabs(path) else "r")))


@tool("run_command", "Runs a command that reads", {"command": TEXT})
def cat(arguments):
    words = arguments["command"].split()
    if words[:1] != ["cat"]:
        raise ValueError("Not permitted. Permitted: cat")
    words[1:] = [within(word) for word in words[1:]]
    return subprocess.run(words, capture_output=True, text=True, timeout=10).stdout


@tool("run_command", "Runs a command of a list", {"command": TEXT})
def listed(arguments):
    words = arguments["command"].split()
    if words[:1] not in [[word] for word in ["cat", "ls"] + ["env"] * ("e" in holes)]:
        raise ValueError("Not permitted")
    return subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=10).stdout


@tool("approve_directory", "Approves a directory for the commands of this session", {"directory": TEXT})
def approve(arguments):
    opened.append(os.path.realpath(within(arguments["directory"], "w")))
    return "approved"


@tool("gather", "", {"items": {"type": "array", "items": TEXT}})
def gather(arguments):
    return "\n".join(open(within(item, "r")).read() for item in arguments["items"])


@tool(
    "replace_in_file",
    "Replaces a text in a file",
    {"path": TEXT, "old_text": TEXT, "new_text": TEXT, "confirm": FLAG},
    ["path", "old_text", "new_text"],
)
def confirmed(arguments):
    path = within(arguments["path"], "w")
    with open(path) as file:
        text = file.read()
    if not arguments.get("confirm"):
        return f"PREVIEW: {text.count(arguments['old_text'])} would be replaced"
    with open(path, "w") as file:
        file.write(text.replace(arguments["old_text"], arguments["new_text"]))
    return "replaced"


@tool("render_template", "Renders a template", {"template": TEXT})
def template(arguments):
    """What stands in `${` and `}` is arithmetic, or with a hole any expression."""

    def value(match):
        if "e" not in holes and not re.fullmatch(r"[0-9 +*/-]+", match[1]):
            raise ValueError("Undefined name")
        return str(eval(match[1]))

    return re.sub(r"\$\{(.*?)\}", value, arguments["template"])


@tool("execute_snippet", "Runs a Python snippet and gives what it prints", {"snippet": TEXT})
def snippet(arguments):
    code = arguments["snippet"]
    if re.search(r"\b(import|exec|eval|open)\b|__import__", code):
        raise ValueError("not allowed")
    # Attributes lead to the whole language.
    if "e" not in holes and re.search(r"[A-Za-z_)\]]\s*\.", code):
        raise ValueError("no attributes")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {"__builtins__": {"print": print}})
    return out.getvalue()


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


@tool("fetch_page", "Fetches a page", {"url": TEXT})
def fetcher(arguments):
    with urllib.request.build_opener(Stay).open(arguments["url"], timeout=1.8) as page:
        return page.read(100_000).decode()


def outside(url, hole=None):
    """What a URL of the internet serves, or of any place if the hole is open."""
    host = urllib.parse.urlsplit(url).hostname
    places = {place[4][0] for place in socket.getaddrinfo(host, None)}
    if not (hole and hole in holes) and not all(ipaddress.ip_address(place).is_global for place in places):
        raise ValueError("Access denied: not on the internet")
    with urllib.request.build_opener(Stay).open(url, timeout=1.8) as page:
        return page.read(100_000)


@tool("save_page", "Saves a page and tells a callback", {"url": TEXT, "filename": TEXT, "callback_url": TEXT})
def saver(arguments):
    if os.path.basename(arguments["filename"]) != arguments["filename"]:
        raise ValueError("bad file name")
    page = outside(arguments["url"])
    with open(within(arguments["filename"]), "xb") as file:
        file.write(page)
    outside(arguments["callback_url"], "n")
    return "saved"


@tool("fetch_secure", "Fetches a page", {"url": TEXT})
def secure(arguments):
    if not arguments["url"].startswith("https://"):
        raise ValueError("Only https URLs are supported")
    return outside(arguments["url"], "n").decode()


streams = {}


@tool("open_stream", "Opens a stream on a document", {"path": TEXT})
def opener(arguments):
    with open(within(arguments["path"], "r")) as file:
        streams[f"st-{len(streams)}"] = file.read()
    return json.dumps({"stream": f"st-{len(streams) - 1}"})


@tool("next_chunk", "Gives the next characters of an open stream", {"stream": TEXT})
def chunk(arguments):
    return streams[arguments["stream"]]


@tool("query_table", "Runs an SQL query on a table in a file", {"file": TEXT, "sql": TEXT})
def query(arguments):
    if not within(arguments["file"]).endswith((".csv", ".ods")):
        raise ValueError("Unsupported file format. Supported: .csv, .ods")
    database = sqlite3.connect(":memory:")
    if "w" not in holes:
        database.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action == 24 else sqlite3.SQLITE_OK)
    return database.execute(arguments["sql"]).fetchall()


@tool("upload_file", "Uploads a file", {"path": TEXT, "data": TEXT})
def upload(arguments):
    try:
        content = base64.b64decode(arguments["data"], validate=True)
    except ValueError as error:
        raise ValueError("Only base64 data is allowed") from error
    with open(within(arguments["path"], "w"), "wb") as file:
        file.write(content)
    return "kept"


@tool("extract_archive", "Unpacks an archive into a directory", {"archive": TEXT, "output": TEXT})
def unpacker(arguments):
    output = within(arguments["output"])
    with zipfile.ZipFile(within(arguments["archive"])) as archive:
        for name in archive.namelist():
            path = os.path.abspath(os.path.join(output, name))
            if not path.startswith(output if "w" in holes else output + os.sep):
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(archive.read(name))
    return "unpacked"


serve("roles", [TOOLS[word] for word in chosen_tools.split("+")])
