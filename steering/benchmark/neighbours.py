"""How often a run's text depends on the rows beside it.

Draws never do; but rows of another batch are computed in another order and rounded otherwise, and now and
then a probability crosses the drawn number.
"""

from collections.abc import Iterator

import torch

from steering.benchmark.report import Line
from steering.benchmark.subjects import DOSES, organism
from steering.condition import Condition
from steering.engine import Engine

_SIZES = (32, 1)


def neighbours() -> Iterator[Line]:
    """The same runs in one batch, in smaller ones in another order, and one by one."""
    for dtype in (torch.float32, torch.bfloat16):
        subject = organism(dtype)
        conditions = [
            Condition("desperate", dose, (subject.layer,), "all") if dose else Condition.baseline()
            for dose in DOSES
        ]
        requests = subject.requests(conditions)
        together = [one.text for one in _engine(subject, len(requests)).run(requests)]
        for size in _SIZES:
            others = [one.text for one in _engine(subject, size).run(requests[::-1])][::-1]
            changed = sum(one != other for one, other in zip(together, others, strict=True))
            name = "alone" if size == 1 else f"in other batches of {size}"
            yield Line(
                f"organism, {str(dtype).removeprefix('torch.')}",
                f"runs whose text differs {name}",
                100 * changed / len(requests),
                f"% of {len(requests)}",
                f"batches of {len(requests)}",
            )


def _engine(subject: object, rows: int) -> Engine:
    model, tokenizer, library = (getattr(subject, name) for name in ("model", "tokenizer", "library"))
    return Engine(model, tokenizer, library, max_rows=rows)
