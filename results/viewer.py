"""Links that open a run in Inspect's log viewer.

The viewer is a page whose part after `#` names a log, relative to the folder it shows, and a sample by its
uuid: `#/logs/<log>/samples/sample_uuid/<uuid>` (inspect_ai 0.3.285, `app/routing/url.ts`). `inspect view`
serves it, `inspect view bundle` writes it as static files; both understand the same links. Nothing is started
here.
"""

import os
import posixpath
import shlex
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from results.logs import TableError

ADDRESS = "http://127.0.0.1:7575/"
"""Where `inspect view` listens if it is not told otherwise."""


class Viewer(NamedTuple):
    """A viewer of one folder of logs."""

    folder: str
    """What lies above all the logs: a path from the working folder where it lies below it, or a URL."""
    root: str
    """The same, absolute, as logs are named from it."""
    address: str

    @property
    def command(self) -> str:
        """What starts it."""
        return f"inspect view --log-dir {shlex.quote(self.folder)}"

    def log(self, log: str) -> str:
        """The link to a log, given by its path or URL."""
        inside = quote(posixpath.relpath(log.replace(os.sep, "/"), self.root.replace(os.sep, "/")))
        return f"{self.address}#/logs/{inside}"

    def run(self, log: str, uuid: str) -> str:
        """The link to one run of the log."""
        return f"{self.log(log)}/samples/sample_uuid/{quote(uuid, safe='')}"


def viewer_of(logs: Sequence[str], address: str = ADDRESS) -> Viewer:
    """The viewer of all these logs (paths or URLs); `address` is its URL, or its folder beside the page.

    Raises `TableError` for an address that is neither, and for logs that no one folder holds.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("", "http", "https") or (not parts.scheme and address.startswith(("/", "\\"))):
        raise TableError(
            f"a viewer's address is http://..., https://... or a folder beside the page, not {address!r}"
        )
    remote = [log for log in logs if "://" in log]
    if remote and len(remote) < len(logs):
        raise TableError("logs here and logs elsewhere have no viewer in common: make a page of each")
    if remote:
        shared = posixpath.commonpath([log.partition("://")[2].rpartition("/")[0] for log in logs])
        root = folder = f"{logs[0].partition('://')[0]}://{shared}"
    else:
        root = os.path.commonpath([os.path.dirname(os.path.abspath(log)) for log in logs])
        near = os.path.relpath(root)
        folder = root if near.startswith(os.pardir) else near
    return Viewer(folder, root, address if address.endswith("/") else f"{address}/")
