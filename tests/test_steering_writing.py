"""A model's texts are written once each, whatever happens in between, and say what they were written with."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from steering.errors import SteeringError
from steering.vectors import fingerprint
from steering.writing import Sampling, read_lines, write


@dataclass(frozen=True)
class Text:
    key: str

    @property
    def prompt(self):
        return f"Write {self.key}."

    @property
    def about(self):
        return {"emotion": "calm", "topic": self.key}


TEXTS = [Text(f"text/{number}") for number in range(10)]
SAMPLING = Sampling(max_tokens=6, rows=4, attempts=3)


@pytest.fixture
def run(llama, tokenizer, tmp_path):
    """`run()` writes the texts to one and the same file; what differs is said."""

    def go(wanted=TEXTS, refusal=lambda *_: None, sampling=SAMPLING, **options):
        told, remembered = [], []
        given = {"described": {"prompts": 1}, "extent": {"n": len(wanted)}, **options}
        found = write(
            llama, tokenizer, wanted, tmp_path / "out.jsonl", refusal=refusal, clean=lambda text: text,
            remember=lambda text, _: remembered.append(text.key), sampling=sampling,
            progress=lambda done, total: told.append((done, total)), **given,
        )  # fmt: skip
        go.remembered, go.told = remembered, told
        return found

    go.out = tmp_path / "out.jsonl"
    return go


def keys(path):
    return [line["key"] for line in read_lines(path)]


def test_every_text_is_written_once_with_what_is_known_of_it(run):
    found = run()
    assert found == (10, 0, 0)
    lines = read_lines(run.out)
    assert sorted(line["key"] for line in lines) == sorted(text.key for text in TEXTS)
    assert {line["emotion"] for line in lines} == {"calm"} and all(line["text"] for line in lines)
    assert run.told[0] == (0, 10) and run.told[-1] == (10, 10)


def test_a_second_run_writes_nothing_more_and_remembers_what_is_there(run):
    run()
    before = run.out.read_bytes()
    run()
    assert run.out.read_bytes() == before
    assert sorted(run.remembered) == sorted(text.key for text in TEXTS)


def test_more_can_be_asked_for_later(run):
    run(TEXTS[:4])
    assert run() == (10, 0, 0)
    assert json.loads(run.out.with_suffix(".json").read_text())["n"] == 10


def test_a_refused_text_is_asked_for_again_with_other_random_numbers_and_then_given_up(run):
    seen = []

    def refusal(text, told, _finished):
        seen.append((text.key, told))
        return "no good" if text.key == "text/3" else None

    assert run(refusal=refusal) == (9, 3, 1)
    answers = [told for key, told in seen if key == "text/3"]
    assert len(answers) == len(set(answers)) == 3
    lines = read_lines(run.out.with_suffix(".refused.jsonl"))
    assert [(line["key"], line["attempt"], line["reason"]) for line in lines] == [
        ("text/3", attempt, "no good") for attempt in range(3)
    ]
    assert run(refusal=refusal) == (9, 3, 1), "given up once, it is not asked for again"


def test_the_same_seed_writes_the_same_texts_and_another_seed_others(run):
    def written(seed):
        run(sampling=SAMPLING._replace(seed=seed))
        lines = {line["key"]: line["text"] for line in read_lines(run.out)}
        for path in run.out.parent.glob("out*"):
            path.unlink()
        return lines

    assert written(0) == written(0) != written(1)


def test_what_it_was_written_with_stands_beside_it(run, llama):
    run()
    settings = json.loads(run.out.with_suffix(".json").read_text())
    assert settings["fingerprint"] == fingerprint(llama)
    assert settings["sampling"] == {"temperature": 1.0, "top_p": 1.0, "max_tokens": 6, "seed": 0}
    assert settings["prompts"] == 1 and settings["transformers"]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"sampling": SAMPLING._replace(temperature=0.5)}, "sampling"),
        ({"described": {"prompts": 2}}, "prompts"),
    ],
)
def test_a_file_of_other_settings_is_not_gone_on_with(run, options, what):
    run(TEXTS[:2])
    with pytest.raises(
        SteeringError, match=rf"out\.jsonl was written with another {what}: choose another file"
    ):
        run(**options)


def test_a_file_of_unknown_origin_is_not_gone_on_with(run):
    run.out.write_text("{}\n")
    with pytest.raises(SteeringError, match=r"no out\.json that says how it was written"):
        run()


def test_a_line_that_was_cut_is_written_again_and_a_broken_one_is_an_error(run):
    run()
    content = run.out.read_bytes()
    run.out.write_bytes(content[:-7])
    assert run() == (10, 0, 0)
    assert sorted(keys(run.out)) == sorted(text.key for text in TEXTS)
    run.out.write_bytes(b"no json\n" + content)
    with pytest.raises(SteeringError, match=r"out\.jsonl cannot be read as JSON lines"):
        run()


KILLED = """
import os, sys
from pathlib import Path
sys.path[:0] = {path!r}
from conftest import _model, _tokenizer
from test_steering_writing import SAMPLING, TEXTS
from steering.writing import write
seen = []
def refusal(text, told, finished):
    seen.append(text)
    if len(seen) == {after}:
        os.kill(os.getpid(), 9)
write(_model("llama", "float32"), _tokenizer(), TEXTS, Path({out!r}), refusal=refusal,
      clean=lambda text: text, remember=lambda text, said: None, sampling=SAMPLING,
      described={{"prompts": 1}}, extent={{"n": 10}},
      progress=lambda done, total: None)
"""


def test_a_run_that_was_killed_goes_on_with_nothing_lost_and_nothing_twice(run):
    here = Path(__file__).parent
    code = KILLED.format(path=[str(here), str(here.parent)], after=7, out=str(run.out))
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert ended.returncode == -9, ended.stderr
    before = keys(run.out)
    assert len(before) == 6
    assert run() == (10, 0, 0)
    assert keys(run.out)[:6] == before
    assert sorted(keys(run.out)) == sorted(text.key for text in TEXTS)
