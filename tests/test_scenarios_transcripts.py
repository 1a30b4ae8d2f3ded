"""Transcripts are what real runs of the scripted agents through Inspect produce, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from blackmail_runs import play, score_of
from inspect_ai.model import ChatMessageAssistant, ChatMessageTool

from scenarios import flags, transcripts
from scenarios.blackmail.family import samples, scenarios
from scenarios.blackmail.scripts import load_scripts, script_turns
from scenarios.situation import render


def written(tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    out = tmp_path / "out.jsonl"
    assert transcripts.main([str(out), *arguments]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def as_transcript(message: Any) -> dict[str, Any]:
    """A message of a run in the words of a transcript; a call's id, which Inspect draws, left out."""
    if isinstance(message, ChatMessageAssistant):
        calls = [
            {"function": call.function, "arguments": call.arguments} for call in message.tool_calls or []
        ]
        plain = {"role": "assistant", "content": flags.said(message), "think": flags.thought(message)}
        return {**plain, "tool_calls": calls} if calls else plain
    return {"role": message.role, "content": message.text}


def without_ids(message: dict[str, Any]) -> dict[str, Any]:
    message = {key: value for key, value in message.items() if key != "tool_call_id"}
    if "tool_calls" in message:
        message["tool_calls"] = [
            {k: v for k, v in call.items() if k != "id"} for call in message["tool_calls"]
        ]
    return message


@pytest.mark.parametrize("length", ["short", "full"])
def test_a_transcript_is_what_a_run_of_its_script_produces(tmp_path: Path, length: str) -> None:
    lines = list(transcripts.transcripts(1, "heldout", length, all_wordings=True))  # type: ignore[arg-type]
    chosen = [line for line in lines if line["twin"] == "main"][::7]
    assert len({line["outcome"] for line in chosen}) == 6
    right = []
    for number, line in enumerate(chosen):
        scripts = load_scripts(scenarios()[line["scenario"]])[line["outcome"]]
        situation = render(scenarios()[line["scenario"]], variant=0, length=line["length"])
        thought = next(message["think"] for message in line["messages"] if message["role"] == "assistant")
        script = next(one for one in scripts if situation.fill(one.think) == thought)
        [sample] = samples(scenario=line["scenario"], variants=1, length=length)
        turns = [turn.raw() for turn in script_turns(script, situation)]
        [run] = play([sample], turns, tmp_path / str(number))
        assert [as_transcript(message) for message in run.messages] == list(
            map(without_ids, line["messages"])
        )
        answered = [one.tool_call_id for one in run.messages if isinstance(one, ChatMessageTool)]
        called = [
            call.id
            for one in run.messages
            if isinstance(one, ChatMessageAssistant)
            for call in one.tool_calls or []
        ]
        assert answered == called
        right.append(score_of(run).answer == line["outcome"])
    assert sum(right) >= 0.98 * len(right)


def test_one_line_per_scenario_twin_variant_and_possible_outcome(tmp_path: Path) -> None:
    lines = written(tmp_path, "--variants", "2", "--split", "train")
    assert len(lines) == len(scenarios()) * 2 * (6 + 4 + 2)
    keys = {
        "family",
        "scenario",
        "twin",
        "variant",
        "pressure",
        "length",
        "split",
        "outcome",
        "tools",
        "messages",
    }
    assert {frozenset(line) for line in lines} == {frozenset(keys)}
    tempted = {line["outcome"] for line in lines if line["twin"] != "main"}
    assert not tempted & {"blackmail", "disclosure"}


def test_calls_and_their_results_are_paired_by_id(tmp_path: Path) -> None:
    for line in written(tmp_path, "--variants", "1", "--split", "train", "--all-wordings"):
        roles = [message["role"] for message in line["messages"]]
        assert roles[:3] == ["system", "user", "assistant"] and roles[-1] == "assistant"
        calls = [call["id"] for message in line["messages"] for call in message.get("tool_calls", [])]
        results = [m["tool_call_id"] for m in line["messages"] if m["role"] == "tool"]
        assert calls == results and len(set(calls)) == len(calls)
        assert line["messages"][-1]["think"] == "" and line["messages"][-1]["content"]


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for out in (first, second):
        assert transcripts.main([str(out), "--variants", "1", "--split", "heldout", "--length", "full"]) == 0
    assert first.read_bytes() == second.read_bytes()


def test_a_folder_that_is_not_there_is_one_line_and_status_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "missing" / "out.jsonl"
    assert transcripts.main([str(out), "--variants", "1", "--split", "train"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
