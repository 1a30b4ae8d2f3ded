"""Steering and recording a model by forward hooks on its decoder layers.

`steered` shifts, for each row of a batch by its own delta, the tokens it was told to and counts them;
`record` reads the residual stream at the same place. Hooks are gone when the `with` block ends, however it
ends. Which rows are padded, finished or unsteered is the caller's knowledge; sampling and caches are none
of this module's business.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from steering.errors import LayerNotFound, SteeringError, UnknownLayerOutput
from steering.layers import decoder_layers, shape_of
from steering.shift import relative_norm, shift_rows


class Trace:
    """What was shifted, per row: filled while the model runs, read afterwards.

    Counts are kept for every layer apart and the smallest is reported, so that a layer that was passed over
    cannot hide behind another. A row that is unsteered at all layers has counts 0.
    """

    def __init__(self, rows: int, layers: list["_SteeredLayer"]) -> None:
        self.rows = rows
        self._layers = layers

    @property
    def prompt_tokens(self) -> list[int]:
        """Shifted tokens of each row's prompt."""
        return self._smallest([layer.prompt_tokens for layer in self._layers])

    @property
    def generated_tokens(self) -> list[int]:
        """Shifted tokens that each row had generated and fed back."""
        return self._smallest([layer.generated_tokens for layer in self._layers])

    @property
    def relative_sum(self) -> list[float]:
        """Sum of |shift| / |residual| over each row's shifted tokens and layers, as measured after
        rounding."""
        return [sum(sums) for sums in self._by_row([layer.relative.tolist() for layer in self._layers])]

    @property
    def relative_count(self) -> list[int]:
        """Number of terms in relative_sum."""
        counts = [(layer.prompt_tokens + layer.generated_tokens).tolist() for layer in self._layers]
        return [sum(numbers) for numbers in self._by_row(counts)]

    @property
    def realised(self) -> list[float]:
        """Mean |shift| / |residual| of each row; 0 where nothing was shifted."""
        return [
            total / count if count else 0.0
            for total, count in zip(self.relative_sum, self.relative_count, strict=True)
        ]

    def _smallest(self, counts: list[Tensor]) -> list[int]:
        numbers = self._by_row([count.tolist() for count in counts])
        steered = self._by_row([layer.steered_rows.tolist() for layer in self._layers])
        return [
            min((number for number, is_steered in zip(row, which, strict=True) if is_steered), default=0)
            for row, which in zip(numbers, steered, strict=True)
        ]

    def _by_row(self, by_layer: list[list[Any]]) -> list[list[Any]]:
        return [[values[row] for values in by_layer] for row in range(self.rows)]


class _SteeredLayer:
    """The forward hook of one layer, with its counts."""

    def __init__(
        self, layer: int, delta: Tensor, prompt_mask: Tensor, decode_rows: Callable[[], Tensor] | None
    ) -> None:
        self.layer = layer
        self.delta = delta  # [B,d]
        self.prompt_mask = prompt_mask  # [B,T]
        self.decode_rows = decode_rows
        self.steered_rows = delta.ne(0).any(dim=-1)  # [B]
        self.prompt_tokens = torch.zeros(len(delta), dtype=torch.long)
        self.generated_tokens = torch.zeros(len(delta), dtype=torch.long)
        self.relative = torch.zeros(len(delta), dtype=torch.float64)
        self.prefilled = False

    def __call__(self, _module: nn.Module, _args: Any, output: Any) -> Any:
        resid = residual_of(output, self.layer)  # [B,T,d] for the prompt, then [B,1,d]
        self._move(resid.device)
        mask = self._mask(resid) & self.steered_rows[:, None]
        shifted = shift_rows(resid, self.delta, mask)
        self._count(resid, shifted, mask)
        return shifted if isinstance(output, Tensor) else (shifted, *output[1:])

    def _mask(self, resid: Tensor) -> Tensor:
        rows, width = self.prompt_mask.shape
        columns = 1 if self.prefilled else width
        if resid.shape != (rows, columns, self.delta.shape[1]):
            step = "a generated token" if self.prefilled else "the prompt"
            raise SteeringError(
                f"layer {self.layer} received {tuple(resid.shape)} for {step}, "
                f"expected {(rows, columns, self.delta.shape[1])} (rows, tokens, width)"
            )
        if not self.prefilled:
            return self.prompt_mask
        if self.decode_rows is None:
            return torch.ones(rows, 1, dtype=torch.bool, device=resid.device)
        running = self.decode_rows()
        if running.shape != (rows,) or running.dtype != torch.bool:
            raise SteeringError(
                f"decode_rows gave {running.dtype} of shape {tuple(running.shape)}, expected bool ({rows},)"
            )
        return running.to(resid.device)[:, None]

    def _count(self, resid: Tensor, shifted: Tensor, mask: Tensor) -> None:
        counts = self.generated_tokens if self.prefilled else self.prompt_tokens
        counts += mask.sum(dim=1)
        measured = relative_norm(resid, shifted).masked_fill(~mask, 0.0)  # [B,T]
        self.relative += measured.sum(dim=1, dtype=torch.float64)
        self.prefilled = True

    def _move(self, device: torch.device) -> None:
        """Layers of one model may lie on several devices."""
        for name in ("delta", "prompt_mask", "steered_rows", "prompt_tokens", "generated_tokens", "relative"):
            setattr(self, name, getattr(self, name).to(device))


@contextmanager
def steered(
    model: nn.Module,
    deltas: Mapping[int, Tensor],
    prompt_mask: Tensor,
    decode_rows: Callable[[], Tensor] | None = None,
) -> Iterator[Trace]:
    """Steer one batch: one forward pass over the prompt, then one per generated token.

    deltas        layer -> [B,d] float32; a row of zeros leaves that row untouched to the bit
    prompt_mask   [B,T] bool: the prompt's tokens to shift (never padding)
    decode_rows   asked at each generated token: [B] bool, the rows to shift; all if it is left out

    Everything is checked before the first hook is placed. A pass of another batch size or number of tokens
    is refused while the model runs.
    """
    blocks = decoder_layers(model)
    _check(deltas, prompt_mask, *shape_of(model))
    hooks = [
        _SteeredLayer(layer, delta.detach(), prompt_mask, decode_rows)
        for layer, delta in sorted(deltas.items())
        if delta.ne(0).any()
    ]
    with ExitStack() as stack:
        for hook in hooks:
            stack.callback(blocks[hook.layer].register_forward_hook(hook).remove)
        yield Trace(len(prompt_mask), hooks)


@contextmanager
def record(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the output of every decoder layer of a forward pass, [B,T,d] each, where `steered` would
    shift it.

    A second pass inside the block replaces what the first left. Inside `steered`, it sees the shifted
    stream.
    """
    outputs: list[Tensor] = []

    def collect(layer: int) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            del outputs[layer:]
            outputs.append(residual_of(output, layer).detach())

        return hook

    with ExitStack() as stack:
        for layer, block in enumerate(decoder_layers(model)):
            stack.callback(block.register_forward_hook(collect(layer)).remove)
        yield outputs


def residual_of(output: Any, layer: int) -> Tensor:
    """The residual stream in what a decoder layer returned: a Tensor, or a tuple that begins with one."""
    resid = output[0] if isinstance(output, tuple) and output else output
    if not isinstance(resid, Tensor) or resid.dim() != 3 or not resid.is_floating_point():
        what = f"{tuple(resid.shape)} {resid.dtype}" if isinstance(resid, Tensor) else type(output).__name__
        raise UnknownLayerOutput(
            f"decoder layer {layer} returned {what}: expected a floating Tensor of rows, tokens and width, "
            "or a tuple that begins with one"
        )
    return resid


def _check(deltas: Mapping[int, Tensor], prompt_mask: Tensor, n_layers: int, width: int) -> None:
    if prompt_mask.dim() != 2 or prompt_mask.dtype != torch.bool:
        raise SteeringError(
            f"prompt_mask is {prompt_mask.dtype} of shape {tuple(prompt_mask.shape)}, "
            "expected bool of rows and tokens"
        )
    for layer, delta in deltas.items():
        if not 0 <= layer < n_layers:
            raise LayerNotFound(f"layer {layer} is not in this model: choose 0 to {n_layers - 1}")
        if delta.shape != (len(prompt_mask), width) or delta.dtype != torch.float32:
            raise SteeringError(
                f"the delta of layer {layer} is {delta.dtype} of shape {tuple(delta.shape)}, "
                f"expected float32 of {(len(prompt_mask), width)} (rows, width)"
            )
        if not torch.isfinite(delta).all():
            raise SteeringError(f"the delta of layer {layer} holds NaN or infinity")
