"""The receipt of one generation: the proof that it was steered as asked, or not at all.

An unsteered run looks exactly like a null result, so every generation brings a receipt and every receipt is
checked against the condition that the run was meant to have. Imports no torch; who fills a receipt in is
not decided here.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from steering.condition import Condition
from steering.errors import ReceiptMismatch


@dataclass(frozen=True)
class Receipt:
    """What was done to one row of a batch. Tokens are real ones; padding is never counted."""

    slug: str
    vector_hash: str
    layers: tuple[int, ...]
    strength: float
    positions: str
    prompt_tokens: int
    generated_tokens: int
    """Sampled tokens, the end-of-sequence token included."""
    prompt_tokens_steered: int
    generated_tokens_steered: int
    """Sampled tokens that were fed back under steering. The last sampled token is never fed back, so a
    complete generation has `generated_tokens - 1` of them."""
    realised: float
    """Mean |shift| / |residual| over steered tokens and layers, measured after rounding to the model's
    dtype."""
    expected_norm: tuple[float, ...]
    """|delta| per layer, in the order of `layers`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "layers": list(self.layers), "expected_norm": list(self.expected_norm)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of to_dict; a missing or unknown key is refused."""
        wanted = [field.name for field in fields(cls)]
        if not isinstance(values, Mapping) or set(values) != set(wanted):
            raise ReceiptMismatch(f"a receipt has the keys {wanted}, not {values!r}")
        try:
            sequences = {
                "layers": tuple(int(layer) for layer in values["layers"]),
                "expected_norm": tuple(float(norm) for norm in values["expected_norm"]),
            }
        except (TypeError, ValueError) as error:
            raise ReceiptMismatch(
                f"a receipt's layers and expected_norm are lists of numbers: {values!r}"
            ) from error
        return cls(**{**values, **sequences})


def check(receipt: Receipt, condition: Condition, vector_hash: str) -> None:
    """Raise ReceiptMismatch unless the receipt proves the condition, with the vector of that hash."""
    for what, found, asked in (
        ("condition", receipt.slug, condition.slug),
        ("vector hash", receipt.vector_hash, vector_hash),
        ("layers", tuple(receipt.layers), condition.layers),
        ("strength", receipt.strength, condition.strength),
        ("positions", receipt.positions, condition.positions),
    ):
        if found != asked:
            raise ReceiptMismatch(f"the generation's {what} is {found!r}, the run's is {asked!r}")
    if receipt.prompt_tokens < 1 or receipt.generated_tokens < 1:
        raise ReceiptMismatch(
            f"{condition.slug}: a generation has at least one prompt token and one generated token, "
            f"not {receipt.prompt_tokens} and {receipt.generated_tokens}"
        )
    if condition.is_baseline:
        _check_untouched(receipt)
    else:
        _check_tokens(receipt)
        _check_size(receipt)


def _check_untouched(receipt: Receipt) -> None:
    steered = receipt.prompt_tokens_steered, receipt.generated_tokens_steered
    if steered != (0, 0) or receipt.realised != 0 or any(receipt.expected_norm):
        raise ReceiptMismatch(
            f"the baseline was steered: {steered[0]} prompt tokens, {steered[1]} generated tokens, "
            f"realised {receipt.realised!r}, expected {receipt.expected_norm!r}"
        )


def _check_tokens(receipt: Receipt) -> None:
    prompt, generated = receipt.prompt_tokens_steered, receipt.generated_tokens_steered
    if prompt + generated < 1:
        raise ReceiptMismatch(f"{receipt.slug}: no token was steered")
    if receipt.positions == "all" and prompt != receipt.prompt_tokens:
        raise ReceiptMismatch(
            f"{receipt.slug}: {prompt} of {receipt.prompt_tokens} prompt tokens were steered, not all"
        )
    if not 1 <= prompt <= receipt.prompt_tokens:
        raise ReceiptMismatch(
            f"{receipt.slug}: {prompt} of {receipt.prompt_tokens} prompt tokens were steered, "
            "expected at least the last one and no more than there are"
        )
    fed_back = receipt.generated_tokens - 1
    if generated != fed_back:
        raise ReceiptMismatch(
            f"{receipt.slug}: {generated} generated tokens were steered, expected {fed_back} "
            f"({receipt.generated_tokens} were sampled and the last is never fed back)"
        )


def _check_size(receipt: Receipt) -> None:
    if not math.isfinite(receipt.realised) or receipt.realised <= 0:
        raise ReceiptMismatch(
            f"{receipt.slug}: the measured shift is {receipt.realised!r} of the residual, not above 0"
        )
    norms = receipt.expected_norm
    if len(norms) != len(receipt.layers) or not all(math.isfinite(norm) and norm > 0 for norm in norms):
        raise ReceiptMismatch(
            f"{receipt.slug}: expected norms {norms!r} for layers {receipt.layers!r} are not possible"
        )
