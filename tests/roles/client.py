"""A server that asks hosts, over stdio: `client.py TOOL[!HOLES]`.

HOLES are letters: `a` for attempts beyond the limit.
"""

import http.client
import json
import sys
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True
from stdio import serve, texts

chosen, _, holes = sys.argv[1].partition("!")
API = "http://api.example.org"
kept = {}


def search(query):
    """Asks its own API alone, which may lead it further."""
    return urllib.request.urlopen(f"{API}/search?q={urllib.parse.quote(query)}", timeout=4).read().decode()


def feedback(comment):
    """The same with what was given in a body."""
    body = json.dumps({"comment": comment}).encode()
    return urllib.request.urlopen(f"{API}/feedback", body, timeout=4).read().decode()


def lookup(query):
    """The same with what was given in the path."""
    path = urllib.parse.quote(query, safe="")
    return urllib.request.urlopen(f"{API}/lookup/{path}", timeout=4).read().decode()


def fetch(url):
    """Fetches a page, over connections that are kept from call to call; tries three times."""
    parts = urllib.parse.urlsplit(url)
    status, text = 0, "no answer"
    for _ in range(6 if "a" in holes else 3):
        connection = kept.setdefault(parts.netloc, http.client.HTTPConnection(parts.netloc, timeout=2))
        try:
            connection.request("GET", parts.path)
            answer = connection.getresponse()
            status, text = answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            text = str(error)
            continue
        if status < 500:
            return text
    raise ValueError(f"{status} {text}")


TOOLS = {
    "search": (search, "Searches the knowledge base", "query"),
    "feedback": (feedback, "Leaves feedback for the team", "comment"),
    "lookup": (lookup, "Looks a thing up in the catalogue", "query"),
    "fetch": (fetch, "Fetches a web page", "url"),
}


function, description, parameter = TOOLS[chosen]
serve("client", [(lambda given: function(given[parameter]), chosen, description, texts(parameter))])
