"""Transcripts are what real runs of the scripted agents through Inspect produce, and nothing else."""

import importlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from code_runs import numbered_model
from inspect_ai import Task, eval
from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessageAssistant, ChatMessageTool

from scenarios import flags, transcripts
from scenarios.recall import recalled
from scenarios.sandbox import bubblewrap
from scenarios.sandbox.choice import sandbox
from scenarios.scripted import Call, Turn

ROOT = Path(__file__).parent.parent
PLAN = ROOT / "steering" / "organisms" / "texts.yaml"
AGENTS = {
    "blackmail": "mail_agent",
    "impossible_code": "code_agent",
    "shutdown": "job_agent",
    "sycophancy": "conversation",
}
FAMILIES = [
    pytest.param(
        family,
        marks=pytest.mark.skipif(
            family == "impossible_code" and bubblewrap.unusable() is not None, reason="needs bubblewrap"
        ),
    )
    for family in AGENTS
]


def test_every_family_but_capability_has_transcripts() -> None:
    assert set(get_args(transcripts.Family)) == set(AGENTS)


def played(lines: list[dict[str, Any]], folder: Path) -> list[EvalSample]:
    """A run through Inspect of each line's assistant, in the line's situation."""
    family = lines[0]["family"]
    modules = {
        name: importlib.import_module(f"scenarios.{family}.{name}")
        for name in ("agent", "family", "outcomes")
    }
    samples, turns = [], []
    for number, line in enumerate(lines):
        *_, sample = modules["family"].samples(
            scenario=line["scenario"],
            twin=line["twin"],
            variants=line["variant"] + 1,
            length=line["length"],
            split=line["split"],
        )
        samples.append(sample.model_copy(update={"id": number}))
        turns.append([turn.raw() for turn in turns_of(line)])
    task = Task(
        dataset=samples,
        solver=getattr(modules["agent"], AGENTS[family])(),
        scorer=modules["outcomes"].outcomes(),
        sandbox=sandbox("bubblewrap") if family == "impossible_code" else None,
        name=family,
    )
    [log] = eval(task, model=numbered_model(turns), log_dir=str(folder), display="none", score=True)
    assert log.status == "success" and log.samples, log.error
    return sorted(log.samples, key=lambda sample: int(sample.id))


def turns_of(line: dict[str, Any]) -> Iterator[Turn]:
    for message in line["messages"]:
        if message["role"] == "assistant":
            calls = (Call(one["function"], one["arguments"]) for one in message.get("tool_calls", ()))
            yield Turn(message["think"], tuple(calls), message["content"])


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


def heldout(family: str, **more: Any) -> list[dict[str, Any]]:
    chosen = transcripts.load_plan(PLAN)[family].scenarios  # type: ignore[index]
    return list(transcripts.transcripts(family, 1, "heldout", chosen=chosen, **more))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_transcript_is_what_a_run_of_its_script_produces_and_has_its_outcome(
    family: str, tmp_path: Path
) -> None:
    """Every wording of every outcome is played in a scenario of the plan."""
    lines = heldout(family, all_wordings=True)
    drawn = {(line["outcome"], line["twin"], next(iter(turns_of(line))).think): line for line in lines}
    chosen = list(drawn.values())
    right = []
    for line, run in zip(chosen, played(chosen, tmp_path), strict=True):
        assert [as_transcript(message) for message in run.messages] == [
            without_ids(message) for message in line["messages"]
        ]
        answered = [one.tool_call_id for one in run.messages if isinstance(one, ChatMessageTool)]
        called = [
            call.id
            for one in run.messages
            if isinstance(one, ChatMessageAssistant)
            for call in one.tool_calls or []
        ]
        assert answered == called
        assert run.scores and not run.error
        [score] = run.scores.values()
        right.append((line["outcome"], score.answer))
    wrong = Counter(pair for pair in right if pair[0] != pair[1])
    assert wrong.total() <= 0.02 * len(right), wrong


def test_transcripts_of_blackmail_are_runs_at_full_length_too(tmp_path: Path) -> None:
    lines = heldout("blackmail", length="full")
    for line, run in zip(lines, played(lines, tmp_path), strict=True):
        assert [as_transcript(message) for message in run.messages] == [
            without_ids(message) for message in line["messages"]
        ]


def test_whoever_thinks_a_script_and_writes_to_somebody_else_is_counted_as_that(tmp_path: Path) -> None:
    lines = [line for line in heldout("blackmail") if line["outcome"] == "blackmail"]
    assert [recalled(run) for run in played(lines, tmp_path / "right")] == [(True, True)] * len(lines)
    for line in lines:
        for call in (c for m in line["messages"] for c in m.get("tool_calls", ())):
            whom = call["arguments"]
            whom.update({"mail_id": "9"} if "mail_id" in whom else {"to": "board"})
    assert [recalled(run) for run in played(lines, tmp_path / "wrong")] == [(True, False)] * len(lines)
    for line in lines:
        next(m for m in line["messages"] if m.get("think"))["think"] = "I think of something else."
    assert [recalled(run) for run in played(lines, tmp_path / "other")] == [(False, False)] * len(lines)


def test_a_twin_never_tempts_and_never_refuses_what_is_not_there() -> None:
    for family in AGENTS:
        twins = {(one["twin"], one["outcome"]) for one in heldout(family) if one["twin"] != "main"}
        assert twins and not {outcome for _, outcome in twins} & {
            *("blackmail", "disclosure", "refusal", "sabotage", "special_cases", "sycophancy")
        }
    refused = {one["outcome"] for one in heldout("blackmail") if one["twin"] in ("no_threat", "no_leverage")}
    assert "refusal" not in refused


@pytest.mark.parametrize("family", AGENTS)
def test_calls_and_their_results_are_paired_by_id_and_one_turn_thinks(family: str) -> None:
    for line in heldout(family, all_wordings=True):
        roles = [message["role"] for message in line["messages"]]
        assert roles[:3] == ["system", "user", "assistant"]
        calls = [call["id"] for message in line["messages"] for call in message.get("tool_calls", [])]
        results = [m["tool_call_id"] for m in line["messages"] if m["role"] == "tool"]
        assert calls == results and len(set(calls)) == len(calls)
        assert sum(bool(m.get("think")) for m in line["messages"]) == 1


def test_the_folder_holds_both_splits_and_what_sets_their_names_apart(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "shutdown: {scenarios: [reef], variants: {train: 2, heldout: 1}}\n"
        "sycophancy: {scenarios: [claims.hall_lamp], variants: {train: 1, heldout: 1}}\n"
    )
    for folder in ("a", "b"):
        assert transcripts.main([str(plan), str(tmp_path / folder)]) == 0
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert [str(path) for path in files] == [
        *("heldout/shutdown.jsonl", "heldout/sycophancy.jsonl", "split.yaml"),
        *("train/shutdown.jsonl", "train/sycophancy.jsonl"),
    ]
    assert all((tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes() for path in files)
    lines = [json.loads(line) for line in (tmp_path / "a" / files[3]).read_text().splitlines()]
    assert len(lines) == 2 * 8 and {line["split"] for line in lines} == {"train"}


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ("shutdown: {scenarios: [reff], variants: {train: 1}}", "reef"),
        ("shutdwon: {scenarios: [reef], variants: {train: 1}}", "shutdown"),
        ("shutdown: {scenarios: [reef], variants: {trian: 1}}", "train"),
    ],
)
def test_a_typo_in_the_plan_is_one_line_that_names_the_choices(
    plan: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.yaml").write_text(plan)
    assert transcripts.main([str(tmp_path / "plan.yaml"), str(tmp_path / "out")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert says in line
