"""Whether steering a model would do what it says: asked of the model itself, when it is loaded.

A few tokens are run through it, steered and unsteered, padded and not. What is not understood is refused,
since an unsteered run looks exactly like a null result. Which vectors fit, and how the model's tools and
templates behave, is asked elsewhere. After the checks that nnterp makes when it loads a model
(https://github.com/ndif-team/nnterp).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationConfig

from steering.errors import SteeringError
from steering.hooks import record, steered
from steering.layers import Shape, decoder_layers, shape_of

TOKENS = 4
PADDING = 8
LARGE = 10.0
"""Size of the probe's shift, in mean residual norms of the layer."""
MAX_ROUNDING = 0.3
"""Relative change of a row's logits beside other rows of its length, above which it is no rounding."""
MAX_LEAK = 0.03
"""The same by padding, unless rounding explains it."""


@torch.no_grad()
def probe(model: nn.Module) -> Shape:
    """Run a few tokens through the model and raise SteeringError unless it can be steered.

    Every decoder layer must run once and return a [B,T,d] residual stream; a large shift at each of them, in
    a row of its own, must be what the next layer reads and must change that row's logits; a row generated in
    a padded batch must be the row generated alone.
    """
    shape = shape_of(model)
    weights: Tensor = model.get_input_embeddings().weight  # type: ignore[operator]
    # The middle of a vocabulary holds ordinary words, its ends special tokens.
    first = weights.shape[0] // 2
    tokens = (first + torch.arange(TOKENS + PADDING, device=weights.device)) % weights.shape[0]
    _check_layers(model, tokens[:TOKENS], shape)
    if hasattr(model, "generate"):
        _check_padding(model, tokens)
    return shape


def _check_layers(model: nn.Module, tokens: Tensor, shape: Shape) -> None:
    ids = tokens.expand(shape.n_layers, -1)  # [L,T]: row i is for layer i
    with record(model) as outputs, _reading(model) as before:
        plain = _last_logits(model, ids)
    if len(outputs) != shape.n_layers:
        raise SteeringError(f"{len(outputs)} of {shape.n_layers} decoder layers ran in one forward pass")
    for layer, output in enumerate(outputs):
        if output.shape != (*ids.shape, shape.width):
            raise SteeringError(
                f"decoder layer {layer} returns shape {tuple(output.shape)}, "
                f"expected {(*ids.shape, shape.width)}"
            )
    deltas = _one_row_each(outputs)
    with steered(model, deltas, torch.ones_like(ids, dtype=torch.bool)), _reading(model) as after:
        moved = _last_logits(model, ids)
    name = type(model).__name__
    for layer, delta in deltas.items():
        if layer + 1 < shape.n_layers:
            one, other = before[layer + 1], after[layer + 1]
            if one is None or other is None:
                raise SteeringError(f"decoder layer {layer + 1} of {name} reads no [B,T,d] residual stream")
            arrived = (other[layer].float() - one[layer].float()).cpu()  # [T,d]
            if _distance(arrived, delta[layer].expand_as(arrived)) > 0.1:
                raise SteeringError(
                    f"what is added at layer {layer} of {name} is not what layer {layer + 1} reads"
                )
        if not torch.isfinite(plain).all() or _distance(moved[layer], plain[layer]) < 1e-3:
            raise SteeringError(f"a large shift at layer {layer} of {name} does not change its logits")


def _one_row_each(outputs: Sequence[Tensor]) -> dict[int, Tensor]:
    """Layer -> [L,d] float32, a large random shift in the layer's own row and 0 in the others."""
    generator = torch.Generator().manual_seed(0)
    deltas = {}
    for layer, output in enumerate(outputs):
        direction = torch.randn(output.shape[-1], generator=generator)
        deltas[layer] = torch.zeros(len(outputs), len(direction))
        size = output.float().norm(dim=-1).mean().cpu()
        deltas[layer][layer] = LARGE * size * direction / direction.norm()
    return deltas


def _check_padding(model: Any, tokens: Tensor) -> None:
    """Some recurrent layers take padding, or another row, into their state. Rounding is told from that by a
    batch of rows of equal length."""
    row, others = tokens[:TOKENS], tokens[PADDING : PADDING + TOKENS]
    alone = _generated_logits(model, [row])
    rounding = _distance(_generated_logits(model, [row, others, others]), alone)
    name = type(model).__name__
    if rounding > MAX_ROUNDING:
        raise SteeringError(
            f"other rows change the logits of {name} by {rounding:.0%}: its rows cannot share a batch, so "
            "this model is not supported"
        )
    leak = _distance(_generated_logits(model, [row, tokens]), alone)
    if leak > max(MAX_LEAK, 5 * rounding):
        raise SteeringError(
            f"padding changes the logits of {name} by {leak:.0%}: rows of different lengths "
            "cannot share a batch, so this model is not supported"
        )


def _generated_logits(model: Any, rows: Sequence[Tensor]) -> Tensor:
    """Logits [2,V] of the first row's first two generated tokens, left-padded to the longest row."""
    width = max(map(len, rows))
    ids = torch.stack([torch.cat([row.new_zeros(width - len(row)), row]) for row in rows])
    lengths = torch.tensor([len(row) for row in rows], device=ids.device)
    columns = torch.arange(width, device=ids.device)
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        max_new_tokens=2,
        min_new_tokens=2,
        pad_token_id=0,
        use_cache=True,
        output_logits=True,
        return_dict_in_generate=True,
    )
    mask = (columns >= width - lengths[:, None]).long()
    output = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)
    return torch.stack([step[0].float() for step in output.logits])


@contextmanager
def _reading(model: nn.Module) -> Iterator[dict[int, Tensor | None]]:
    """What every decoder layer is handed as residual stream, [B,T,d]; None where that cannot be told."""
    read: dict[int, Tensor | None] = {}

    def note(layer: int) -> Any:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            given = args[0] if args else kwargs.get("hidden_states")
            read[layer] = given.detach() if isinstance(given, Tensor) and given.dim() == 3 else None

        return hook

    with ExitStack() as stack:
        for layer, block in enumerate(decoder_layers(model)):
            stack.callback(block.register_forward_pre_hook(note(layer), with_kwargs=True).remove)
        yield read


def _last_logits(model: nn.Module, ids: Tensor) -> Tensor:
    logits: Tensor = model(input_ids=ids, use_cache=False).logits[:, -1].float()
    return logits  # [B,V]


def _distance(one: Tensor, other: Tensor) -> float:
    """|one - other| / |other|."""
    return float((one - other).norm() / other.norm())
