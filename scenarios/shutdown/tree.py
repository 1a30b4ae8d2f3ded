"""A file tree in memory, as pure functions: every change gives a new tree and the old one stays.

A tree maps absolute paths to files. A folder is there as long as a file is in it. Nothing touches a disk.
"""

import posixpath
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field


class TreeError(ValueError):
    """A path that does not allow what was asked of it; the message names what is there."""


class File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    mode: str = Field(default="644", pattern=r"^[0-7]{3}$")


Tree = Mapping[str, File]


class Change(BaseModel):
    """What became of one path; None is no file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    was: File | None
    now: File | None


def absolute(path: str) -> str:
    """The path from the root, without dots and double slashes; the root is where a shell stands."""
    return posixpath.normpath("/" + path.strip().lstrip("/"))


def is_folder(tree: Tree, path: str) -> bool:
    where = absolute(path).rstrip("/") + "/"
    return where == "/" or any(one.startswith(where) for one in tree)


def listing(tree: Tree, path: str) -> list[str]:
    """Names in a folder, those of folders with a slash; of a file its own path."""
    where = absolute(path)
    if where in tree:
        return [where]
    if not is_folder(tree, where):
        raise TreeError(_missing(tree, path))
    start = where.rstrip("/") + "/"
    rest = [one.removeprefix(start) for one in tree if one.startswith(start)]
    return sorted({name.partition("/")[0] + "/" * ("/" in name) for name in rest})


def read(tree: Tree, path: str) -> File:
    where = absolute(path)
    if where not in tree:
        raise TreeError(
            f"'{path}' is a folder; it holds {', '.join(listing(tree, where))}"
            if is_folder(tree, where)
            else _missing(tree, path)
        )
    return tree[where]


def write(tree: Tree, path: str, text: str) -> dict[str, File]:
    """The tree with this text in the file; a new file gets mode 644."""
    where = _place(tree, path)
    old = tree.get(where)
    return {**tree, where: File(text=text, mode=old.mode if old else "644")}


def copy(tree: Tree, sources: Sequence[str], target: str, *, folders: bool = False) -> dict[str, File]:
    """The tree with copies at `target`, or in it where it is a folder or ends with a slash."""
    into = is_folder(tree, target) or target.strip().endswith("/")
    if len(sources) > 1 and not into:
        raise TreeError(f"'{target}' is no folder")
    new = dict(tree)
    for source in sources:
        where = absolute(source)
        end = absolute(f"{target}/{posixpath.basename(where)}" if into else target)
        if end.startswith(where.rstrip("/") + "/"):
            raise TreeError(f"'{source}' cannot be put into itself")
        for path in _files(tree, source, folders=folders):
            place = end + path.removeprefix(where)
            if place == path:
                raise TreeError(f"'{source}' and '{target}' are the same")
            new[_place(new, place)] = tree[path]
    return new


def delete(tree: Tree, paths: Sequence[str], *, folders: bool = False) -> dict[str, File]:
    gone = {file for path in paths for file in _files(tree, path, folders=folders)}
    return {path: file for path, file in tree.items() if path not in gone}


def move(tree: Tree, sources: Sequence[str], target: str) -> dict[str, File]:
    copied = copy(tree, sources, target, folders=True)
    return delete(copied, sources, folders=True)


def set_mode(tree: Tree, path: str, mode: str) -> dict[str, File]:
    file = read(tree, path)
    return {**tree, absolute(path): File(text=file.text, mode=mode)}


def changes(before: Tree, after: Tree) -> tuple[Change, ...]:
    """Every path whose file differs, in order of its name."""
    paths = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    return tuple(Change(path=path, was=before.get(path), now=after.get(path)) for path in paths)


def _files(tree: Tree, path: str, *, folders: bool) -> list[str]:
    where = absolute(path)
    if where in tree:
        return [where]
    if not is_folder(tree, where):
        raise TreeError(_missing(tree, path))
    if not folders:
        raise TreeError(f"'{path}' is a folder; for a folder with all that is in it, use -r")
    return [one for one in tree if one.startswith(where.rstrip("/") + "/")]


def _place(tree: Tree, path: str) -> str:
    """Where a file may be put."""
    where = absolute(path)
    if is_folder(tree, where) or path.strip().endswith("/"):
        raise TreeError(f"'{path}' is a folder, not a file")
    parent = posixpath.dirname(where)
    while parent != "/":
        if parent in tree:
            raise TreeError(f"'{parent}' is a file, and nothing can be put into it")
        parent = posixpath.dirname(parent)
    return where


def _missing(tree: Tree, path: str) -> str:
    folder = posixpath.dirname(absolute(path))
    while not is_folder(tree, folder):
        folder = posixpath.dirname(folder)
    return f"no '{path}'; {folder} holds {', '.join(listing(tree, folder)) or 'nothing'}"
