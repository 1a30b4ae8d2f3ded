"""A model writes many short texts: in batches, again where one was refused, and on from where it was stopped.

Kept texts go to OUT.jsonl, refused ones with the reason to OUT.refused.jsonl, and what they were written with
(model, prompt, sampling, seeds) to OUT.json. Each attempt has a random stream of its own, named by the text's
key, so that a rerun repeats it. What is asked for, and what is kept, the caller knows.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import transformers

from steering.condition import Condition
from steering.engine import Engine
from steering.errors import SteeringError
from steering.readouts.prompts import prompt_ids
from steering.request import Request
from steering.tensors import write_text
from steering.vectors import fingerprint


class Wanted(Protocol):
    """One text that is asked for."""

    @property
    def key(self) -> str:
        """Its name, unlike all others."""

    @property
    def prompt(self) -> str: ...

    @property
    def about(self) -> dict[str, str]:
        """What its line says beside the text."""


class Sampling(NamedTuple):
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 300
    seed: int = 0
    attempts: int = 5
    """How often a text that is refused is asked for again, the first time included."""
    rows: int = 32
    """Texts written at a time."""


class Written(NamedTuple):
    kept: int
    refused: int
    given_up: int
    """Texts that were asked for as often as allowed, and refused each time."""


def write(
    model: Any, tokenizer: Any, wanted: Sequence[Wanted], out: Path, *,
    refusal: Callable[[Wanted, str, bool], str | None], clean: Callable[[str], str],
    remember: Callable[[Wanted, str], None], sampling: Sampling, described: dict[str, Any],
    extent: dict[str, Any], progress: Callable[[int, int], None],
) -> Written:  # fmt: skip
    """Write every text that is not there yet.

    refusal    why a text (finished or not) is not kept, or None
    remember   told of every text that an earlier run kept
    described  what the texts depend on beside model and sampling; another value refuses to go on
    extent     how much is wanted; noted, and free to grow

    Raises SteeringError where `out` was written with other settings.
    """
    engine = Engine(model, tokenizer)
    _check_settings(out, model, sampling, described, extent)
    refused_file = out.with_suffix(".refused.jsonl")
    kept = {line["key"]: line for line in read_lines(out)}
    tries: dict[str, int] = {}
    for line in read_lines(refused_file):
        tries[line["key"]] = max(tries.get(line["key"], 0), line["attempt"] + 1)
    for text in wanted:
        if text.key in kept:
            remember(text, kept[text.key]["text"])
    waiting = [text for text in wanted if text.key not in kept and tries.get(text.key, 0) < sampling.attempts]
    refused = sum(tries.values())
    with out.open("a", encoding="utf-8") as good, refused_file.open("a", encoding="utf-8") as bad:
        while waiting:
            progress(len(kept), len(wanted))
            batch, waiting = waiting[: sampling.rows], waiting[sampling.rows :]
            again = []
            requests = [_request(tokenizer, text, tries.get(text.key, 0), sampling) for text in batch]
            for text, answer in zip(batch, engine.run(requests), strict=True):
                told, attempt = clean(answer.text), tries.get(text.key, 0)
                why = refusal(text, told, answer.stop_reason == "stop")
                line = {**text.about, "text": told, "key": text.key, "attempt": attempt}
                if why is None:
                    kept[text.key] = line
                    _append(good, line)
                else:
                    tries[text.key] = attempt + 1
                    refused += 1
                    _append(bad, {**line, "reason": why})
                    if attempt + 1 < sampling.attempts:
                        again.append(text)
            waiting += again
    progress(len(kept), len(wanted))
    return Written(len(kept), refused, sum(text.key not in kept for text in wanted))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file that may have been cut while the last was written; that one is taken out."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    try:
        return [json.loads(line) for line in whole.decode("utf-8").splitlines() if line.strip()]
    except ValueError as error:
        raise SteeringError(
            f"{path} cannot be read as JSON lines ({error}): delete it to start anew"
        ) from error


def _request(tokenizer: Any, text: Wanted, attempt: int, sampling: Sampling) -> Request:
    ids = prompt_ids(tokenizer, text.prompt)
    stream = f"write/{sampling.seed}/{text.key}/{attempt}"
    return Request(
        ids, [False] * len(ids), Condition.baseline(), stream, sampling.temperature, sampling.top_p,
        sampling.max_tokens,
    )  # fmt: skip


def _check_settings(
    out: Path, model: Any, sampling: Sampling, described: dict[str, Any], extent: dict[str, Any]
) -> None:  # fmt: skip
    settings = {
        "generator": getattr(model.config, "_name_or_path", "").rstrip("/").rsplit("/", 1)[-1],
        "fingerprint": fingerprint(model),
        "sampling": {k: v for k, v in sampling._asdict().items() if k not in ("rows", "attempts")},
        **described,
    }
    path = out.with_suffix(".json")
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        if changed := [key for key in settings if before.get(key) != settings[key]]:
            raise SteeringError(
                f"{out} was written with another {', '.join(changed)}: choose another file, or these"
            )
    elif out.is_file() and out.stat().st_size:
        raise SteeringError(
            f"{out} is there, but no {path.name} that says how it was written: choose another file"
        )
    noted = {**settings, **extent, "transformers": transformers.__version__}
    write_text(path, json.dumps(noted, indent=1, ensure_ascii=False) + "\n")


def _append(file: Any, line: dict[str, Any]) -> None:
    """On the disk before the next one is written."""
    file.write(json.dumps(line, ensure_ascii=False) + "\n")
    file.flush()
    os.fsync(file.fileno())
