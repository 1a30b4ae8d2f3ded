"""What is added to the residual stream in each slot of a batch that changes, and what came of it.

A pass over some of the slots is steered by `applied`; rows without a shift are untouched to the bit, since
-0.0 is added to them. Every steered layer must run exactly once in a pass, else the pass is refused, so one
count per pass holds for all layers. Batches that stay together from prompt to end can use
`steering.hooks.steered`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from steering.errors import LayerNotFound, SteeringError
from steering.hooks import residual_of
from steering.layers import decoder_layers, shape_of
from steering.shift import relative_norm, shift_rows

_NOTHING = -0.0
"""x + -0.0 is x for every x, where x + 0.0 would turn -0.0 into 0.0."""


class SlotShifts:
    """The deltas of up to `rows` slots of one model."""

    def __init__(self, model: nn.Module) -> None:
        self._blocks = decoder_layers(model)
        self._width = shape_of(model).width
        self._rows = 0
        self._deltas: dict[int, Tensor] = {}  # layer -> [S,d] float32
        self._sums: dict[int, Tensor] = {}  # layer -> [S] float64, of |shift| / |residual|
        self._steered: dict[int, set[int]] = {}  # layer -> slots with a shift there

    def reserve(self, rows: int) -> None:
        """Make room for slots, keeping what is there."""
        more = rows - self._rows
        if more > 0:
            self._rows = rows
            for layer, delta in self._deltas.items():
                self._deltas[layer] = torch.cat([delta, delta.new_full((more, self._width), _NOTHING)])
                self._sums[layer] = torch.cat([self._sums[layer], self._sums[layer].new_zeros(more)])

    def place(self, slot: int, delta: Mapping[int, Tensor]) -> None:
        """Give a slot its shifts, layer -> [d], and forget what was measured of the slot's former row."""
        for layer, shift in delta.items():
            if not 0 <= layer < len(self._blocks):
                raise LayerNotFound(
                    f"layer {layer} is not in this model: choose 0 to {len(self._blocks) - 1}"
                )
            if shift.shape != (self._width,) or not torch.isfinite(shift).all() or not shift.any():
                raise SteeringError(
                    f"the shift of layer {layer} is no vector of {self._width} finite numbers, not all 0"
                )
        for layer in {*self._deltas, *delta}:
            if layer not in self._deltas:
                self._deltas[layer] = torch.full((self._rows, self._width), _NOTHING)
                self._sums[layer] = torch.zeros(self._rows, dtype=torch.float64)
                self._steered[layer] = set()
            self._sums[layer][slot] = 0
            if layer in delta:
                self._deltas[layer][slot] = delta[layer]
                self._steered[layer].add(slot)
            else:
                self._deltas[layer][slot] = _NOTHING
                self._steered[layer].discard(slot)

    def move(self, source: int, target: int) -> None:
        """Move one slot's shifts and measurements to another."""
        for layer, steered in self._steered.items():
            self._deltas[layer][target] = self._deltas[layer][source]
            self._sums[layer][target] = self._sums[layer][source]
            steered.discard(target)
            if source in steered:
                steered.add(target)

    def relative_sum(self, slot: int) -> float:
        """Sum of |shift| / |residual| over the slot's shifted tokens and layers, measured after rounding."""
        return sum(float(sums[slot]) for layer, sums in self._sums.items() if slot in self._steered[layer])

    @contextmanager
    def applied(self, slots: Sequence[int], mask: Tensor | None = None) -> Iterator[None]:
        """Steer one forward pass over these slots, in this order.

        mask [B,T] bool: the tokens to shift, those of unsteered rows left out; without one the pass has one
        token per row, and all of them are shifted. What was measured counts if the block ends well.
        """
        measured: dict[int, Tensor] = {}
        active = [layer for layer, steered in sorted(self._steered.items()) if steered.intersection(slots)]
        # A slice is a view; a list of numbers makes a copy.
        index: Any = slice(0, len(slots)) if list(slots) == list(range(len(slots))) else list(slots)
        with ExitStack() as stack:
            for layer in active:
                hook = self._hook(
                    layer, index, (len(slots), 1) if mask is None else mask.shape, mask, measured
                )
                stack.callback(self._blocks[layer].register_forward_hook(hook).remove)
            yield
        if sorted(measured) != active:
            missing = sorted({*active} - {*measured})
            raise SteeringError(f"layers {missing} did not run in a forward pass, so they were not steered")
        for layer, relative in measured.items():
            self._sums[layer][index] += relative.to(self._sums[layer])

    def _hook(
        self,
        layer: int,
        index: Any,
        shape: tuple[int, ...],
        mask: Tensor | None,
        measured: dict[int, Tensor],
    ) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> Any:
            resid = residual_of(output, layer)  # [B,T,d]
            if resid.shape != (*shape, self._width) or layer in measured:
                raise SteeringError(
                    f"layer {layer} received {tuple(resid.shape)}, expected once {(*shape, self._width)} "
                    "(rows, tokens, width)"
                )
            if self._deltas[layer].device != resid.device:  # layers of one model may lie on several devices
                self._deltas[layer] = self._deltas[layer].to(resid.device)
            delta = self._deltas[layer][index]  # [B,d]
            if mask is None:
                wide = torch.promote_types(resid.dtype, delta.dtype)
                shifted = (resid.to(wide) + delta[:, None, :]).to(resid.dtype)
            else:
                shifted = shift_rows(resid, delta, mask.to(resid.device))
            measured[layer] = relative_norm(resid, shifted).sum(dim=1)
            return shifted if isinstance(output, Tensor) else (shifted, *output[1:])

        return hook
