"""What the tests that run real Inspect evals share: a model folder with vectors, and a toy task.

The toy task knows no scenario of ours. Its file is given to Inspect by path, as the real tasks are.
"""

import copy
from pathlib import Path

import pytest
from inspect_ai.model import ChatMessageAssistant, ModelAPI, ModelOutput, ModelUsage, modelapi

TEMPLATE = """\
{%- if tools %}<|im_start|>tools
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or "" }}
{%- for call in message.tool_calls or [] %}
<tool_call>{"name": {{ call.function | tojson }}, "arguments": {{ call.arguments | tojson }}}</tool_call>
{%- endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

TASK = '''\
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, GenerateConfig, get_model
from inspect_ai.scorer import Score, scorer
from inspect_ai.solver import solver
from inspect_ai.tool import tool

from steering.dose import conditions_for, dosed, under_dose
from steering.metrics import rates
from steering.provider import steered_model


@tool
def note():
    async def execute(text: str) -> str:
        """Keep a note.

        Args:
            text: The note.
        """
        return f"kept {len(text)}"

    return execute


@solver
def two_turns(tools: bool = False, fail: str = "", direct: bool = False, graded: bool = False):
    async def solve(state, generate):
        if fail and state.sample_id.endswith(fail):
            import os
            if os.environ.get("TOY_FAILS"):
                raise RuntimeError("a passing failure")
        if direct:
            await get_model().generate("hello")
        state.tools = [note()] if tools else []
        for turn in range(2):
            state = await generate(state, tool_calls="single")
            if not state.output.message.tool_calls:
                state.messages.append(ChatMessageUser(content=f"and then? {turn}"))
        if graded:
            verdict = await get_model("offline/grader").generate(state.messages)
            state.store.set("graded", verdict.completion)
        return state

    return solve


@solver
def looping():
    async def solve(state, generate):
        state.tools = [note()]
        return await generate(state)

    return solve


@scorer(metrics=[])
def outcome():
    async def score(state, target):
        even = len(state.output.completion) % 2
        return Score(value={"even": even, "odd": 1 - even, "unscored": 0})

    return score


@task
def toy(emotion="desperate", strength="-0.2,0.2", layers="auto", positions="all", n=2, epochs=1,
        temperature=1.0, tools=False, fail="", direct=False, graded=False, vectors=None, agent=None,
        cache=False):
    model = steered_model(get_model(), vectors)
    conditions = conditions_for(model, emotion, strength, layers, positions)
    samples = [
        Sample(
            id=f"toy/{name}/{variant}",
            input=f"This is {name}, number {variant}.",
            metadata={"family": "toy", "scenario": name, "twin": "main", "variant": variant},
        )
        for name in ("here", "there")
        for variant in range(n)
    ]
    return Task(
        dataset=dosed(samples, conditions, model, 1),
        solver=under_dose(looping() if agent == "loop" else two_turns(tools, fail, direct, graded), 1),
        scorer=outcome(),
        metrics=[rates("even")],
        model=model,
        epochs=epochs,
        fail_on_error=False,
        config=GenerateConfig(
            temperature=temperature, top_p=1.0, max_tokens=12, max_connections=100, cache=cache
        ),
    )
'''


@modelapi(name="offline")
class Offline(ModelAPI):
    """A provider that is not ours and answers without a network."""

    async def generate(self, input, tools, tool_choice, config):  # noqa: ARG002
        assert not config.extra_body, "a foreign provider must not see our conditions"
        output = ModelOutput.from_message(ChatMessageAssistant(content="Good day."))
        output.usage = ModelUsage(input_tokens=3, output_tokens=2, total_tokens=5)
        return output


@pytest.fixture(scope="session")
def steerable_folder(tmp_path_factory, make_model, tokenizer, make_library) -> Path:
    """A model folder with vectors, whose chat template renders tool calls as Inspect hands them over."""
    folder = tmp_path_factory.mktemp("steerable")
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = TEMPLATE
    make_model("llama", "float32").save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    make_library(make_model("llama", "float32"), folder / "vectors", "desperate", "calm")
    return folder


@pytest.fixture(scope="session")
def toy_file(tmp_path_factory) -> Path:
    """The toy task, as a file."""
    path = tmp_path_factory.mktemp("evals") / "toy.py"
    path.write_text(TASK)
    return path


@pytest.fixture
def run_toy(toy_file, steerable_folder, tmp_path, monkeypatch):
    """`run_toy(emotion=...)`: the toy task through Inspect's own hf provider; its log."""
    from inspect_ai import eval

    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(toy_file.parent)

    def run(model="hf/local", limit=None, folder=steerable_folder, **task_args):
        [log] = eval(
            toy_file.name,
            model=model,
            model_args={"model_path": str(folder)} if model.startswith("hf/") else {},
            task_args=task_args,
            log_dir=str(tmp_path / "logs"),
            display="none",
            limit=limit,
        )
        return log

    return run


@pytest.fixture
def hf_model(steerable_folder):
    """Inspect's own model of that folder."""
    from inspect_ai.model import get_model

    return get_model("hf/local", model_path=str(steerable_folder), memoize=False)
