"""Steering a model in a program of one's own: a `with` block in which every call of the model is dosed.

    with steered(model, Condition("desperate", 0.1, layers=(18,)), "vectors") as tally:
        model.generate(**tokenizer("Dear all,", return_tensors="pt"))

`model(...)`, `model.generate(...)` and several of them after each other work alike. Which tokens are real is
read from the attention mask that the model is called with. Batches with random streams of their own, and a
receipt for each row, are the engine's business.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from steering.condition import Condition
from steering.errors import SteeringError
from steering.hooks import residual_of
from steering.layers import decoder_layers, shape_of
from steering.probe import probe
from steering.shift import relative_norm, shift_rows
from steering.vectors import Vector, VectorLibrary, fingerprint

_PROBED: WeakSet[nn.Module] = WeakSet()


class Tally:
    """What was shifted since the block began."""

    def __init__(self) -> None:
        self.shifts = 0
        """Shifted tokens, summed over the layers that shifted them."""
        self._relative = 0.0

    @property
    def realised(self) -> float:
        """Mean |shift| / |residual| of the shifts, measured after rounding to the model's dtype; 0.0 where
        nothing was shifted."""
        return self._relative / self.shifts if self.shifts else 0.0

    def _add(self, mask: Tensor, relative: Tensor) -> None:
        self.shifts += int(mask.sum())
        self._relative += float(relative[mask].sum(dtype=torch.float64))


@contextmanager
def steered(
    model: nn.Module,
    condition: Condition | Sequence[Condition],
    vectors: VectorLibrary | Mapping[str, Vector] | Path | str,
    written: Tensor | None = None,
) -> Iterator[Tally]:
    """Steer every call of `model` inside the block, after Sofroniew et al. 2026
    (https://transformer-circuits.pub/2026/emotions/index.html).

    condition   for all rows, or one for each row of the batch. At a layer of its `layers`, its tokens are
                shifted by `strength * mean_norm[layer] * unit[layer]`: the strength is in multiples of the
                layer's mean residual norm. The baseline leaves a row as it is, to the bit
    vectors     what `extract` returned, a folder of vector files, or a library of them; they must be made
                from this model. `random:SEED` is a random direction of the same norm
    written     [B,T] bool, for positions=assistant in a conversation: the prompt's tokens that the model
                itself wrote in earlier turns. Besides these, the last token of a prompt and every generated
                token are shifted

    Of a call with an attention mask [B,T] only the tokens inside it are shifted, never padding; of one
    without, all. Yields the Tally of what was shifted. Hooks are gone when the block ends, however it ends.

    Raises VectorMismatch for vectors of another model, damaged or missing; LayerNotFound for a layer that the
    model does not have; SteeringError for what is no model in memory and for a call with other rows than
    there are conditions; and what `probe` raises for a model that it does not understand.
    """
    if not isinstance(model, nn.Module):
        raise SteeringError(f"{model!r} is no transformers model in memory: only such a one can be steered")
    conditions = [condition] if isinstance(condition, Condition) else list(condition)
    library = _library(model, vectors)
    if model not in _PROBED:
        probe(model)
        _PROBED.add(model)
    blocks, (_, width) = decoder_layers(model), shape_of(model)
    deltas = [library.delta(one) for one in conditions]
    call = _Call(conditions, written)
    tally = Tally()
    with ExitStack() as stack:
        inner = getattr(model, "base_model", model)
        stack.callback(inner.register_forward_pre_hook(call.begin, with_kwargs=True).remove)
        stack.callback(inner.register_forward_hook(call.end, always_call=True).remove)
        for layer in sorted({layer for delta in deltas for layer in delta}):
            rows = torch.stack([delta.get(layer, torch.zeros(width)) for delta in deltas])  # [B,d] or [1,d]
            stack.callback(blocks[layer].register_forward_hook(_shifting(layer, rows, call, tally)).remove)
        yield tally


class _Call:
    """Which tokens of the model's present call are to be shifted."""

    def __init__(self, conditions: Sequence[Condition], written: Tensor | None) -> None:
        self.conditions = conditions
        self.written = written
        self.attention_mask: Tensor | None = None
        self.is_running = False

    def begin(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        mask = kwargs.get("attention_mask")
        if len(args) > 1 or (mask is not None and not (isinstance(mask, Tensor) and mask.dim() == 2)):
            raise SteeringError(
                "the steered model was called with an attention mask that is not [rows, tokens] by name: "
                "padding cannot be told from tokens"
            )
        self.attention_mask, self.is_running = mask, True

    def end(self, *_: Any) -> None:
        self.is_running = False

    def mask(self, resid: Tensor) -> Tensor:
        """[B,T] bool for the residual stream [B,T,d] of this call."""
        rows, tokens, _ = resid.shape
        if len(self.conditions) not in (1, rows):
            raise SteeringError(
                f"{len(self.conditions)} conditions for a batch of {rows} rows: give one each"
            )
        if not self.is_running:
            raise SteeringError("a decoder layer ran by itself: padding cannot be told from tokens")
        real = torch.ones(rows, tokens, dtype=torch.bool, device=resid.device)
        if self.attention_mask is not None:
            real = self.attention_mask[:, -tokens:].to(resid.device).bool()
        if real.shape != (rows, tokens):
            shape = tuple(self.attention_mask.shape) if self.attention_mask is not None else ()
            raise SteeringError(f"an attention mask of {shape} for {rows} rows of {tokens} tokens")
        positions = [one.positions for one in self.conditions] * (rows // len(self.conditions))
        everywhere = torch.tensor([one == "all" for one in positions], device=resid.device)[:, None]
        return real & (everywhere | self._assistants(real))

    def _assistants(self, real: Tensor) -> Tensor:
        """The last real token of each row (of one token alone: that), and what the model wrote before."""
        columns = torch.arange(real.shape[1], device=real.device)
        last = columns == torch.where(real, columns, -1).max(dim=1, keepdim=True).values
        if self.written is None or real.shape[1] == 1:
            return last
        if self.written.shape != real.shape or self.written.dtype != torch.bool:
            raise SteeringError(
                f"`written` is {self.written.dtype} of {tuple(self.written.shape)}, "
                f"expected bool of {tuple(real.shape)} (rows and tokens of the prompt)"
            )
        return last | self.written.to(real.device)


def _shifting(layer: int, rows: Tensor, call: _Call, tally: Tally) -> Any:
    def hook(_module: nn.Module, _args: Any, output: Any) -> Any:
        resid = residual_of(output, layer)  # [B,T,d]
        mask = call.mask(resid)
        delta = rows.to(resid.device).expand(len(resid), -1)  # [B,d]
        mask &= delta.ne(0).any(dim=-1)[:, None]
        shifted = shift_rows(resid, delta, mask)
        tally._add(mask, relative_norm(resid, shifted))
        return shifted if isinstance(output, Tensor) else (shifted, *output[1:])

    return hook


def _library(model: nn.Module, vectors: VectorLibrary | Mapping[str, Vector] | Path | str) -> VectorLibrary:
    fits = (fingerprint(model), *shape_of(model))
    if isinstance(vectors, VectorLibrary):
        vectors.check(*fits)
        return vectors
    if isinstance(vectors, Mapping):
        return VectorLibrary.of(vectors, *fits)
    return VectorLibrary(Path(vectors), *fits)
