"""Tokens per second with many conditions in one batch, against unsteered rows and against plain `generate`.

Seconds are those that this process computed for, since other programs may take turns on the same cores.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

import torch

from steering.benchmark.report import Line
from steering.benchmark.subjects import Subject
from steering.condition import Condition
from steering.engine import Engine
from steering.layers import decoder_layers
from steering.request import Request

_SMALL = 1e-5
"""Doses so small that all arms write the same texts, and so have the same work to do."""
_COUNTS = (1, 64, 256)


def throughput(subject: Subject, rounds: int) -> Iterator[Line]:
    """Every arm in turn, `rounds` times; each as the median of its ratios to the arm it is held against."""
    engine = Engine(subject.model, subject.tokenizer, subject.library)
    unsteered = subject.requests([Condition.baseline()])
    arms: dict[str, Callable[[], int]] = {"unsteered": lambda: _engine_tokens(engine, unsteered)}
    for count in _COUNTS:
        requests = subject.requests(_conditions(subject, count))
        name = "steered, 1 condition" if count == 1 else f"{count} conditions in one batch"
        arms[name] = lambda requests=requests: _engine_tokens(engine, requests)  # type: ignore[misc]
    many = subject.requests(_conditions(subject, max(_COUNTS)))
    arms[_PLAIN] = lambda: _plain_tokens(subject, many)
    engine.run(unsteered[:1])  # the trial
    for one in many:
        subject.library.delta(one.condition)
    speeds: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(rounds):
        names = list(arms)
        # Another order each time, lest one arm always follow the same other.
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            began = time.process_time()
            tokens = arms[name]()
            speeds[name].append(tokens / (time.process_time() - began))
    for name, found in speeds.items():
        against = {"unsteered": "", _PLAIN: ""}.get(name, "unsteered")
        yield _line(subject, name, found, against, speeds)
    yield _line(subject, f"{max(_COUNTS)} conditions in one batch", [], _PLAIN, speeds)


_PLAIN = "plain generate, a dose per row"


def _line(
    subject: Subject, name: str, found: Sequence[float], against: str, speeds: dict[str, list[float]]
) -> Line:
    ratio = None
    if against:
        ratio = median(one / other for one, other in zip(speeds[name], speeds[against], strict=True))
    aims = {"unsteered": 0.97, _PLAIN: 2.5}
    aim = aims.get(against) if name.startswith(str(max(_COUNTS))) else None
    value = median(found) if found else None
    return Line(subject.name, name, value, "tokens/s", against, ratio, aim)


def _conditions(subject: Subject, count: int) -> list[Condition]:
    return [Condition(f"random:{n}", _SMALL, (subject.layer,), "all") for n in range(count)]


def _engine_tokens(engine: Engine, requests: Sequence[Request]) -> int:
    return sum(done.generated_tokens for done in engine.run(requests))


@torch.inference_mode()
def _plain_tokens(subject: Subject, requests: Sequence[Request]) -> int:
    """One batch of transformers' own `generate` with its own cache, and a hook that adds each row's delta."""
    model = subject.model
    pad = subject.tokenizer.pad_token_id
    width = max(len(one.prompt_ids) for one in requests)
    ids = torch.tensor([[pad] * (width - len(one.prompt_ids)) + list(one.prompt_ids) for one in requests])
    real = torch.tensor([[0] * (width - len(o.prompt_ids)) + [1] * len(o.prompt_ids) for o in requests])
    deltas = [subject.library.delta(one.condition)[subject.layer] for one in requests]
    delta = torch.stack(deltas)[:, None].to(model.dtype)  # [B,1,d]

    def add(_module: Any, _arguments: Any, output: Any) -> Any:
        return output + delta

    handle = decoder_layers(model)[subject.layer].register_forward_hook(add)
    try:
        output = model.generate(
            input_ids=ids, attention_mask=real, do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
            max_new_tokens=subject.max_tokens, pad_token_id=pad,
        )  # fmt: skip
    finally:
        handle.remove()
    eos = subject.tokenizer.eos_token_id
    return sum(row.index(eos) + 1 if eos in row else len(row) for row in output[:, width:].tolist())
