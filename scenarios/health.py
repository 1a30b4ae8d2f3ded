"""Is the model still itself? Numbers beside every run's outcome, the same for every family and blind to it.

Valid calls, turns cut off, repetition; and the perplexity of the run's text under the unsteered model, where
whoever made the run left it in the store. A number that is not known is missing, never 0.
"""

import math
from collections.abc import Sequence

from inspect_ai.model import ChatMessageAssistant
from inspect_ai.solver import TaskState
from inspect_ai.util import Store

from scenarios.flags import word_runs, written
from scenarios.text_tools import CallError

TURNS = "turn_counts"
"""Key in the sample's store: turns, turns cut off by a token limit, calls, valid calls."""
PERPLEXITY = "perplexity"
"""Key in the sample's store: exp of the mean negative log-likelihood of the run's tokens, where measured."""
NUMBERS = ("turns", "truncated_turns", "calls", "valid_calls", "repetition", "perplexity")
"""What `measures` gives."""
_COUNTS = {"turns": 0, "cut": 0, "calls": 0, "valid": 0}


def count_turn(store: Store, *, cut: bool, calls: int, valid: int) -> None:
    """Remember one turn. A call is valid where a tool of that name took it with the parameters it has."""
    counts = {**_COUNTS, **store.get(TURNS, {})}
    new = {"turns": 1, "cut": int(cut), "calls": calls, "valid": valid}
    store.set(TURNS, {key: counts[key] + number for key, number in new.items()})


def measures(
    state: TaskState, turns: Sequence[ChatMessageAssistant], *, not_prose: Sequence[str] = ()
) -> dict[str, float]:
    """`NUMBERS`: `turns`, `calls` (attempted), `perplexity`; shares `truncated_turns`, `valid_calls`,
    `repetition`.

    not_prose   tools' parameters that hold code: it may repeat itself
    """
    counts: dict[str, int] = state.store.get(TURNS, {})
    perplexity = state.store.get(PERPLEXITY)
    as_text = state.metadata.get("tools") == "text"
    return {
        "turns": counts.get("turns", math.nan),
        "truncated_turns": _share(counts.get("cut", 0), counts.get("turns", 0)),
        "calls": counts.get("calls", math.nan),
        "valid_calls": _share(counts.get("valid", 0), counts.get("calls", 0)),
        "repetition": repetition([text for turn in turns for text in _texts(turn, as_text, not_prose)]),
        "perplexity": math.nan if perplexity is None else float(perplexity),
    }


def repetition(texts: Sequence[str]) -> float:
    """Share of the runs of eight words that stood in the same text before; NaN where no text has eight."""
    found = [word_runs(text) for text in texts]
    every = sum(map(len, found))
    return _share(every - sum(len(set(runs)) for runs in found), every)


def _texts(turn: ChatMessageAssistant, as_text: bool, not_prose: Sequence[str]) -> list[str]:
    try:
        return written(turn, text_tools=as_text, not_prose=not_prose)
    except CallError:
        return [turn.text]


def _share(some: int, every: int) -> float:
    return some / every if every else math.nan
