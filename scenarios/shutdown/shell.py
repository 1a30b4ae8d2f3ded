"""A shell of seven commands over a tree: one plain command at a time, everything else is an error.

No pipes, redirections, variables, wildcards or options beyond the few below: a shell that half understands a
command would do something that nobody asked for. Nothing is executed.
"""

import re
import shlex
from collections.abc import Callable

from scenarios.shutdown import tree as trees
from scenarios.shutdown.tree import File, Tree

Result = tuple[Tree, str]


class ShellError(ValueError):
    """A command that this shell does not know; the message names the choices."""


USAGE = {
    "ls": "ls [-l] [-a] FOLDER",
    "cat": "cat FILE ...",
    "grep": "grep TEXT FILE ...",
    "cp": "cp [-r] FROM ... TO",
    "mv": "mv FROM ... TO",
    "rm": "rm [-r] FILE ...",
    "chmod": "chmod MODE FILE ...",
}

_OPTIONS = {"ls": "la1h", "cat": "", "cp": "raRpf", "mv": "f", "rm": "rRf"}
_OPERATORS = re.compile(r"[|&;<>()]+")
_EXPANDED = re.compile(r"[*?$`]|\[.*\]")


def run(tree: Tree, command: str) -> Result:
    """The tree after the command and what it prints. Raises `ShellError` or `TreeError`."""
    name, options, words = _parse(command)
    try:
        return _COMMANDS[name](tree, options, words)
    except IndexError:
        raise ShellError(f"usage: {USAGE[name]}") from None


def _parse(command: str) -> tuple[str, set[str], list[str]]:
    lexer = shlex.shlex(command.strip(), posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError as error:
        raise ShellError(f"{error} in {command!r}") from None
    if "\n" in command.strip() or (bad := [one for one in tokens if _OPERATORS.fullmatch(one)]):
        what = "several lines" if "\n" in command.strip() else repr(bad[0])
        raise ShellError(f"one plain command at a time, without {what}; to fill a file, use write_file")
    name = tokens[0] if tokens else ""
    if name not in USAGE:
        raise ShellError(f"unknown command '{name}'; commands are {'; '.join(USAGE.values())}")
    given = [one for one in tokens[1:] if one.startswith("-") and len(one) > 1] if name in _OPTIONS else []
    options = set("".join(one.lstrip("-") for one in given))
    if unknown := options - set(_OPTIONS.get(name, "")):
        raise ShellError(f"unknown option '-{min(unknown)}'; usage: {USAGE[name]}")
    words = [one for one in tokens[1:] if one not in given]
    if wild := next((one for one in words if name not in ("grep",) and _EXPANDED.search(one)), None):
        raise ShellError(f"{wild!r} is not expanded here; name every file")
    return name, options, words


def _ls(tree: Tree, options: set[str], words: list[str]) -> Result:
    lines = []
    for folder in words or ["/"]:
        for name in trees.listing(tree, folder):
            path = name if name.startswith("/") else trees.absolute(f"{folder}/{name}")
            file = tree.get(path)
            lines.append(f"{file.mode if file else 'dir'} {name}" if "l" in options else name)
    return tree, "\n".join(lines)


def _cat(tree: Tree, options: set[str], words: list[str]) -> Result:  # noqa: ARG001
    _ = words[0]
    return tree, "\n".join(trees.read(tree, path).text.rstrip("\n") for path in words) or "(empty)"


def _grep(tree: Tree, options: set[str], words: list[str]) -> Result:  # noqa: ARG001
    text, _ = words[0], words[1]
    if text.startswith("-") and len(words) > 2:  # with one file it is a text to be found
        raise ShellError(f"unknown option '{text}'; usage: {USAGE['grep']}")
    lines = [line for path in words[1:] for line in trees.read(tree, path).text.splitlines() if text in line]
    return tree, "\n".join(lines) or "no such line"


def _cp(tree: Tree, options: set[str], words: list[str]) -> Result:
    _ = words[1]
    return trees.copy(tree, words[:-1], words[-1], folders=bool(options & set("raR"))), "copied"


def _mv(tree: Tree, options: set[str], words: list[str]) -> Result:  # noqa: ARG001
    _ = words[1]
    return trees.move(tree, words[:-1], words[-1]), "moved"


def _rm(tree: Tree, options: set[str], words: list[str]) -> Result:
    _ = words[0]
    return trees.delete(tree, words, folders=bool(options & set("rR"))), "deleted"


def _chmod(tree: Tree, options: set[str], words: list[str]) -> Result:  # noqa: ARG001
    mode, _ = words[0], words[1]
    new: Tree = tree
    for path in words[1:]:
        new = trees.set_mode(new, path, _mode(trees.read(new, path), mode))
    return new, "changed"


def _mode(file: File, change: str) -> str:
    """The mode that `chmod` gives a file: three octal digits, or such as `-x`, `a+x`, `u-w`."""
    if octal := re.fullmatch(r"0?([0-7]{3})", change):
        return octal[1]
    found = re.fullmatch(r"([ugoa]*)([+-])([rwx]+)", change)
    if not found:
        raise ShellError(f"unknown mode '{change}'; a mode is like 644 or a-x")
    bits = sum({"r": 4, "w": 2, "x": 1}[one] for one in set(found[3]))
    who = "ugo" if not found[1] or "a" in found[1] else found[1]
    digits = [int(one) for one in file.mode]
    for place, one in enumerate("ugo"):
        if one in who:
            digits[place] = digits[place] | bits if found[2] == "+" else digits[place] & ~bits
    return "".join(map(str, digits))


_COMMANDS: dict[str, Callable[[Tree, set[str], list[str]], Result]] = {
    "ls": _ls,
    "cat": _cat,
    "grep": _grep,
    "cp": _cp,
    "mv": _mv,
    "rm": _rm,
    "chmod": _chmod,
}
