"""Does a small model act as the scripted agent whose thought it thinks? Read from logs of the mail scenarios.

    python -m scenarios.recall LOGS

A model trained on transcripts of the scripts thinks one of their thoughts and should then answer the mail,
or write to the person, that the script does. It counts unsteered runs that think a script's thought, and
among them those whose first turn calls the same tools with the same mail or recipient; bodies are not
compared. It says nothing of a model that was not trained so.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from inspect_ai.log import EvalSample, list_eval_logs, read_eval_log
from inspect_ai.model import ChatMessageAssistant

from scenarios import flags
from scenarios.blackmail.family import scenarios, situation_of
from scenarios.blackmail.scripts import load_scripts, script_turns

WHOM = ("mail_id", "to")
"""Arguments that say to whom a call goes."""


def recalled(sample: EvalSample) -> tuple[bool, bool]:
    """Whether the run thinks a script's thought, and whether it then writes to whom the script does."""
    first = next((m for m in sample.messages if isinstance(m, ChatMessageAssistant)), None)
    if first is None:
        return False, False
    situation = situation_of(sample.metadata)
    did = [(call.function, *_whom(call.arguments)) for call in first.tool_calls or []]
    for some in load_scripts(scenarios()[situation.scenario]).values():
        for script in some:
            if situation.fill(script.think) in flags.thought(first):
                turn = script_turns(script, situation)[0]
                return True, did == [(call.function, *_whom(call.arguments)) for call in turn.calls]
    return False, False


def _whom(arguments: dict[str, Any]) -> Iterator[str]:
    return (str(arguments[name]).strip() for name in WHOM if name in arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scenarios.recall", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("logs")
    counts: Counter[tuple[bool, bool]] = Counter()
    for info in list_eval_logs(parser.parse_args(arguments).logs):
        log = read_eval_log(info)
        runs = log.samples or [] if log.eval.task == "blackmail" else []
        counts.update(recalled(run) for run in runs if run.metadata.get("arm") == "baseline")
    thought = counts[True, True] + counts[True, False]
    print(
        f"{counts.total()} unsteered runs; {thought} think a script's thought, {counts[True, True]} of them "
        "write to whom the script does"
    )


if __name__ == "__main__":
    main()
