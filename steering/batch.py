"""Batches through the model's own `generate`, for models that `steering.loop` does not understand.

Rows have doses, settings and streams of their own as there; but none joins or leaves before the whole batch
is finished, and prompts are padded on the left.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from steering.cache import roomy_cache
from steering.hooks import steered
from steering.layers import shape_of
from steering.row import Row, write_next


class Batch:
    """The rows of one batch; has the shape of `steering.loop.Loop`."""

    joins = False

    def __init__(self, model: Any, pad_id: int, eos_ids: Sequence[int], why: str) -> None:
        self.name = f"generate ({why})"
        self.rows: list[Row] = []
        self._model = model
        self._pad_id = pad_id
        self._eos_ids = list(eos_ids)
        self._width = shape_of(model).width

    def admit(self, rows: Sequence[Row]) -> list[Row]:
        """Take the rows up; nothing is read before `step`."""
        self.rows += rows
        return []

    @torch.inference_mode()
    def step(self) -> list[Row]:
        """Generate the batch to its end; gives all its rows."""
        rows = self.rows
        input_ids, attention_mask, prompt_mask = self._pad()
        new = max(row.request.max_tokens for row in rows)
        # The writer has the last word; these are set lest the model's own temperature, top_p or top_k apply.
        config = GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False,
            temperature=1.0,
            top_p=1.0,
            top_k=50,
            num_beams=1,
            max_new_tokens=new,
            eos_token_id=self._eos_ids or None,
            pad_token_id=self._pad_id,
        )
        writer = _Writer(rows)
        with steered(self._model, self._deltas(), prompt_mask, writer.running) as trace:
            self._model.generate(
                input_ids=input_ids.to(self._model.get_input_embeddings().weight.device),
                attention_mask=attention_mask,
                generation_config=config,
                logits_processor=LogitsProcessorList([writer]),
                stopping_criteria=StoppingCriteriaList([_AllDone(rows)]),
                past_key_values=roomy_cache(self._model.config.get_text_config(), input_ids.shape[1] + new),
            )
        for number, row in enumerate(rows):
            row.prompt_steered = trace.prompt_tokens[number]
            row.generated_steered = trace.generated_tokens[number]
            row.realised = trace.realised[number]
        self.rows = []
        return rows

    def drop(self, rows: Sequence[Row]) -> None:
        """Take rows out."""
        self.rows = [row for row in self.rows if not any(row is gone for gone in rows)]

    def shrink(self) -> list[Row]:
        """Give up all rows, since none can go on where it was; gives those, which must begin anew."""
        dropped, self.rows = self.rows, []
        return dropped

    def _pad(self) -> tuple[Tensor, Tensor, Tensor]:
        """Left-padded token ids and attention mask, and the tokens to steer: three times [B,T]."""
        width = max(len(row.request.prompt_ids) for row in self.rows)
        ids = torch.full((len(self.rows), width), self._pad_id, dtype=torch.long)
        attention = torch.zeros_like(ids)
        steer = torch.zeros_like(ids, dtype=torch.bool)
        for number, row in enumerate(self.rows):
            start = width - len(row.request.prompt_ids)
            ids[number, start:] = torch.tensor(row.request.prompt_ids)
            attention[number, start:] = 1
            steer[number, start:] = torch.tensor(row.shifted_prompt)
        device = self._model.get_input_embeddings().weight.device
        return ids.to(device), attention.to(device), steer.to(device)

    def _deltas(self) -> dict[int, Tensor]:
        """layer -> [B,d], zero where a row is not steered."""
        layers = sorted({layer for row in self.rows for layer in row.delta})
        zero = torch.zeros(self._width)
        return {layer: torch.stack([row.delta.get(layer, zero) for row in self.rows]) for layer in layers}


class _Writer(LogitsProcessor):
    """Chooses the next token of the rows that still run, and forces it through the scores."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def running(self) -> Tensor:
        """[B] bool"""
        return torch.tensor([not row.is_done for row in self._rows])

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002
        going = [number for number, row in enumerate(self._rows) if not row.is_done]
        tokens = torch.zeros(len(self._rows), dtype=torch.long)
        chosen = write_next([self._rows[number] for number in going], scores[going])
        tokens[going] = torch.tensor(chosen).clamp(min=0)
        forced = torch.full_like(scores, -torch.inf)
        return forced.scatter_(-1, tokens[:, None].to(scores.device), 0.0)


class _AllDone(StoppingCriteria):
    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:  # noqa: ARG002
        return torch.tensor([row.is_done for row in self._rows], device=input_ids.device)
