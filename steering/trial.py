"""Whether the decode loop of `steering.loop` is right for a model: tried against the model's own `generate`.

What it is known not to understand (windows, recurrent layers, rotations that depend on the batch) is named
without a trial. Everything else generates a few tokens after real prompts both ways, unsteered, with rows
that differ in length, join late and leave early: the scores behind every token must agree.
"""

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import GenerationConfig

from steering.condition import Condition
from steering.loop import Loop
from steering.request import Request
from steering.row import Row
from steering.slots import Slots

_TOKENS = 8
_LONGEST = 200
_TOLERANCE = {torch.float64: 1e-3, torch.float32: 1e-3}
_COARSE = 0.1
"""Of the spread of the scores. In 16 bits a few steps may differ more: an expert or a rounding flips."""

# Settings of a model's own generation_config that change scores or the end of a text, with their neutral
# values.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "repetition_penalty": (None, 1.0),
    "encoder_repetition_penalty": (None, 1.0),
    "exponential_decay_length_penalty": (None,),
    "no_repeat_ngram_size": (None, 0),
    "encoder_no_repeat_ngram_size": (None, 0),
    "bad_words_ids": (None,),
    "sequence_bias": (None,),
    "guidance_scale": (None, 1.0),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "forced_bos_token_id": (None,),
    "forced_eos_token_id": (None,),
    "suppress_tokens": (None, []),
    "begin_suppress_tokens": (None, []),
    "remove_invalid_values": (None, False),
    "watermarking_config": (None,),
    "stop_strings": (None,),
    "max_time": (None,),
}


class Verdict(NamedTuple):
    """What a trial found."""

    why_not: str | None
    """Why the loop cannot be used; None if it can."""
    bytes_per_token: int = 0
    """What the key-value cache takes, if it can."""


def tried(model: Any, prompt_ids: Sequence[int], pad_id: int) -> Verdict:
    """Whether the loop can be used for this model.

    `prompt_ids` is a real prompt; shorter beginnings of it stand in for other lengths.
    """
    reason = _known_reason(model)
    return Verdict(reason) if reason else _compared(model, list(prompt_ids)[:_LONGEST], pad_id)


def _known_reason(model: Any) -> str | None:
    config = model.config.get_text_config()
    if model.config.is_encoder_decoder:
        return "the model has an encoder"
    attention = model.config._attn_implementation
    if attention not in ("sdpa", "eager"):
        return f"attention {attention} takes no mask per row"
    missing = {"position_ids", "past_key_values"} - set(inspect.signature(model.forward).parameters)
    if missing:
        return f"the model takes no {' and no '.join(sorted(missing))}"
    if model.get_output_embeddings() is None:
        return "the model has no output embeddings"
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = {str(part.get("rope_type")) for part in (rope, *rope.values()) if isinstance(part, dict)}
    if varying := kinds & {"dynamic", "longrope"}:
        return f"its rotary positions ({', '.join(sorted(varying))}) depend on the longest row"
    for name, neutral in _NEUTRAL.items():
        value = getattr(model.generation_config, name, None)
        if value not in neutral:
            return f"its generation_config sets {name}={value}"
    try:
        Slots(config)
    except ValueError as error:
        return str(error)
    return None


def _compared(model: Any, prompt: list[int], pad_id: int) -> Verdict:
    prompts = [prompt, prompt[: max(1, 2 * len(prompt) // 3)], prompt[: max(1, len(prompt) // 3)]]
    tokens, theirs = _generated(model, prompts, pad_id)
    loop = _WatchedLoop(model, len(prompts) + 1, 2**20)
    try:
        ours = _looped(loop, prompts, tokens)
    except Exception as error:  # whatever a model raises, it is no model for the loop
        return Verdict(f"the loop fails with {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    spread = theirs.amax(dim=-1) - theirs.amin(dim=-1)  # [B,N]
    apart = torch.stack([(one - other).abs().amax(dim=-1) for one, other in zip(ours, theirs, strict=True)])
    apart = apart / spread.clamp(min=1e-6)
    tolerance = _TOLERANCE.get(model.dtype)
    worst = float(apart.max() if tolerance else apart.median(dim=-1).values.max())
    if not worst <= (tolerance or _COARSE):
        return Verdict(f"its scores differ from generate's by {worst:.2g} of their spread")
    return Verdict(None, loop.bytes_per_token)


def _generated(model: Any, prompts: list[list[int]], pad_id: int) -> tuple[list[list[int]], Tensor]:
    """Greedy tokens of `generate` and the scores behind them: [B][N] and [B,N,V]."""
    width = max(map(len, prompts))
    ids = torch.tensor([[pad_id] * (width - len(prompt)) + prompt for prompt in prompts])
    real = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    device = model.get_input_embeddings().weight.device
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        max_new_tokens=_TOKENS,
        pad_token_id=pad_id,
        output_logits=True,
        return_dict_in_generate=True,
    )
    # An end-of-sequence token that cannot occur, so that all rows go on.
    config.eos_token_id = [model.get_output_embeddings().weight.shape[0]]
    with torch.inference_mode():
        output = model.generate(
            input_ids=ids.to(device), attention_mask=real.to(device), generation_config=config
        )
    return output.sequences[:, width:].tolist(), torch.stack(output.logits, dim=1).float()


def _looped(loop: "_WatchedLoop", prompts: list[list[int]], tokens: list[list[int]]) -> list[Tensor]:
    """The loop's scores along the same tokens: [B][N,V]."""
    rows = [_Scripted(prompt, script) for prompt, script in zip(prompts, tokens, strict=True)]
    leaver = _Scripted(prompts[-1], tokens[-1][:3])
    loop.admit([leaver, *rows[1:]])
    loop.step()
    loop.admit(rows[:1])
    while loop.rows:
        loop.step()
    return [torch.stack(row.scores) for row in rows]


class _Scripted(Row):
    """A row that writes given tokens, and keeps the scores it should have chosen them by."""

    def __init__(self, prompt: list[int], script: list[int]) -> None:
        request = Request(prompt, [False] * len(prompt), Condition.baseline(), "", 0.0, 1.0, len(script))
        super().__init__(request, {}, "", (), lambda _ids: "")
        self.script = script
        self.scores: list[Tensor] = []

    def accept(self, token: int) -> None:  # noqa: ARG002
        super().accept(self.script[len(self.ids)])


class _WatchedLoop(Loop):
    def _write(self, rows: Sequence[Row], scores: Tensor) -> None:
        for row, row_scores in zip(rows, scores, strict=True):
            if isinstance(row, _Scripted):
                row.scores.append(row_scores)
        super()._write(rows, scores)
