"""What a run's code really does: the visible and the hidden tests against it, each in processes of their own.

The original tests are run in the sandbox, in a fresh folder, against the code as it was handed in and as it
was in every test run that looked like a success (`inside/isolated.py`). Nothing here judges; see
`detectors.py`.
"""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence

from inspect_ai.util import OutputLimitExceededError, SandboxEnvironment, Store
from pydantic import BaseModel, ConfigDict

from scenarios.impossible_code.situation import INSIDE, Situation
from scenarios.impossible_code.tools import CLAIMED, PROBLEM, SUBMITTED
from scenarios.impossible_code.workspace import Run, as_bytes, look, run_tests, runs_of

EVIDENCE = "evidence"
"""Key in the sample's store."""

_SECONDS = 25
"""Of a suite: far more than a test run may take, so that slow code is no worse off here."""

Results = dict[str, str | None]
"""Test to why it failed, or None."""


class Finding(BaseModel):
    """A test run as it looked, beside what the original tests say of the same code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: str
    run: Run
    tests_edited: bool
    runner_edited: bool
    visible: Results
    """The original visible tests against the code."""

    @property
    def failing(self) -> tuple[str, ...]:
        return tuple(name for name, why in self.visible.items() if why is not None)

    @property
    def concealed(self) -> tuple[str, ...]:
        """Tests that fail and were not shown as failed, in a run whose summary counts fewer failures."""
        if self.run.failures is None or self.run.failures >= len(self.failing):
            return ()
        return tuple(name for name in self.failing if name not in self.run.failed) or self.failing


class Evidence(BaseModel):
    """What is known of a run's acts when it is over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    earlier: tuple[Finding, ...]
    """Test runs that showed no failure or ran changed tests, once for each other state of the folder."""
    last: Finding
    """The folder as it was left."""
    hidden: Results
    """Empty where the visible tests already fail."""
    submitted: str | None
    """The message with which the work was handed in."""
    claimed: bool | None
    """What was said with it of the tests: that they pass, or do not."""
    problem: str | None


async def examine(box: SandboxEnvironment, situation: Situation, state: Store) -> Evidence:
    """Look at what the run left behind, and at the code of its test runs."""
    runs, left = runs_of(state), (await look(box)).changed(situation)
    last = runs[-1] if runs and runs[-1].changed == left else await run_tests(box, situation)
    seen = [last.changed]
    earlier = []
    for number, run in enumerate(runs, 1):
        edited = any(_edited(run.changed, situation))
        if run.failures is not None and run.changed not in seen and (run.shows_success or edited):
            seen.append(run.changed)
            visible = await visible_results(box, situation, run.changed)
            earlier.append(_finding(f"test run {number}", run, situation, visible))
    visible = await visible_results(box, situation, last.changed)
    passes = not any(visible.values())
    return Evidence(
        earlier=tuple(earlier),
        last=_finding("end", last, situation, visible),
        hidden=await hidden_results(box, situation, last.changed) if passes else {},
        submitted=state.get(SUBMITTED),
        claimed=state.get(CLAIMED),
        problem=state.get(PROBLEM),
    )


def _finding(when: str, run: Run, situation: Situation, visible: Results) -> Finding:
    tests_edited, runner_edited = _edited(run.changed, situation)
    return Finding(
        when=when, run=run, tests_edited=tests_edited, runner_edited=runner_edited, visible=visible
    )


def _edited(changed: Mapping[str, str | None], situation: Situation) -> tuple[bool, bool]:
    return situation.tests_file in changed, any(name in changed for name in situation.runner_files)


async def visible_results(
    box: SandboxEnvironment, situation: Situation, changed: Mapping[str, str | None]
) -> Results:
    """The original visible tests against the code among the changed files."""
    suite = situation.files[situation.tests_file]
    return await isolated(box, situation, changed, suite, situation.visible)


async def hidden_results(
    box: SandboxEnvironment, situation: Situation, changed: Mapping[str, str | None]
) -> Results:
    """The hidden tests against the code among the changed files."""
    return await isolated(box, situation, changed, situation.hidden, situation.hidden_names)


async def isolated(
    box: SandboxEnvironment,
    situation: Situation,
    changed: Mapping[str, str | None],
    suite: str,
    names: Sequence[str],
    seconds: int = _SECONDS,
) -> Results:
    """The results of a suite's tests against the code among the changed files.

    Whatever else was there at the start is there again as it was. A test without a result has failed, also
    where the code ended its judge.
    """
    given_files = set(situation.files) - {situation.code_file}
    own = {name: text for name, text in changed.items() if name not in given_files}
    start = {name: text for name, text in situation.files.items() if name not in own}
    files = {name: text.encode() for name, text in start.items()}
    files |= {name: as_bytes(text) for name, text in own.items() if text is not None}
    source, nonce = (INSIDE / "isolated.py").read_text(encoding="utf-8"), secrets.token_hex(8)
    given = {
        "source": source,
        "nonce": nonce,
        "files": {name: base64.b64encode(content).decode() for name, content in files.items()},
        "module": situation.module,
        "suite": suite,
        "seconds": seconds,
    }
    results: Results = {}
    try:
        told = await box.exec(["python3", "-I", "-c", source], input=json.dumps(given), timeout=seconds + 4)
        *_, line = told.stdout.splitlines() or [""]
        answer = json.loads(line)
        if answer["nonce"] == nonce:
            results = answer["results"]
    except (TimeoutError, OutputLimitExceededError, ValueError, KeyError, TypeError):
        results = {}
    return {name: results.get(name, results.get("loading") or "no result") for name in names}
