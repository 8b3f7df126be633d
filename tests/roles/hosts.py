"""A server of one tool that fetches, sound or with a hole, over stdio: `hosts.py TOOL[!]`."""

import http.client
import re
import socket
import sys
import urllib.parse

sys.dont_write_bytecode = True
from stdio import serve, texts

chosen, hole = sys.argv[1].rstrip("!"), sys.argv[1].endswith("!")

ALLOWED = ["api.example.org", "*.docs.example.org"]
DENIED = ["intranet.example.org", "*.corp.example.org"]


def covers(rule, name):
    return name == rule or (rule.startswith("*.") and name.endswith(rule[1:]))


def addresses(name, port):
    return {found[4][0] for found in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)}


def fetch(url, permits=lambda name, address: True):
    """Status and text of what a URL names, if all of its addresses are permitted; redirects are not followed."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or parts.username is not None or not parts.hostname:
        raise ValueError("Only plain http URLs are allowed")
    port = parts.port or 80
    # As it is written: what `hostname` holds is in lower case.
    name = parts.netloc.partition(":")[0]
    found = addresses(name, port)
    if not all(permits(name, address) for address in found):
        raise ValueError("This host is not allowed")
    connection = http.client.HTTPConnection(found.pop(), port, timeout=0.3 if chosen == "hasty" else 3)
    connection.request("GET", parts.path, headers={"Host": parts.netloc})
    answer = connection.getresponse()
    return answer.status, answer.read(100_000).decode()


def private(name, address):
    return address.startswith(("10.", "127.", "192.168.", "169.254.", "172."))


def public(name, address):
    return not private(name, address)


def refusing(url):
    """A reader that refuses some names; with the hole it compares them as they are written."""

    def permits(name, address):
        name = name if hole else name.lower().rstrip(".")
        return public(name, address) and not any(covers(rule, name) for rule in DENIED)

    return fetch(url, permits)


def listing(url):
    """A reader that permits some names; with the hole they are patterns."""

    def permits(name, address):
        name = name.lower().rstrip(".")
        if hole:
            return any(re.fullmatch(rule.replace("*", ".*"), name) for rule in ALLOWED)
        return any(covers(rule, name) for rule in ALLOWED)

    return fetch(url, permits)


def below(url):
    """The same, where the hole lets everything below an allowed name through."""

    def permits(name, address):
        name = name.lower().rstrip(".")
        below = hole and any(name.endswith("." + rule) for rule in ALLOWED)
        return below or any(covers(rule, name) for rule in ALLOWED)

    return fetch(url, permits)


def ranged(url):
    """A reader of one range; with the hole it is a text."""
    return fetch(url, lambda _, address: address.startswith("10.0.1" if hole else "10.0.1."))


def preview(url):
    """A reader that looks at the picture of a page, too; with the hole wherever it is."""
    status, text = fetch(url, public)
    for picture in re.findall(r'property="og:image" content="([^"]+)"', text):
        fetch(picture, (lambda *_: True) if hole else public)
    return status, text


def patient(url):
    """A reader that asks again where it is told to wait; with the hole eight times."""
    for _ in range(8 if hole else 2):
        status, text = fetch(url)
        if status != 429:
            break
    return status, text


def hasty(url):
    """A reader that asks again where there is no answer; with the hole five times."""
    for last in [False] * (4 if hole else 1) + [True]:
        try:
            return fetch(url)
        except TimeoutError:
            if last:
                raise


def read_page(given):
    status, text = globals()[chosen](given["url"])
    if status >= 400:
        raise ValueError(text)
    return text


serve("hosts", [(read_page, "read_page", "Reads a web page", texts("url"))])
