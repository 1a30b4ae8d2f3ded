"""A decode loop of our own over the unmodified model: rows come and go while others are being generated.

`admit` reads the prompts of new rows, padded on the right and in slots of their own; `step` gives every
running row one more token; finished rows leave at once and the last rows move into their slots. Each row
keeps its own dose, settings and random stream. Which models this is right for is tried in `steering.trial`;
which requests run when is decided in `steering.worker`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from steering.row import Row, write_next
from steering.shifts import SlotShifts
from steering.slots import Slots

# Prompt tokens, padding included, that one forward pass reads.
_PASS_TOKENS = 2**14
_STEP = 64


class Loop:
    """The running rows of one model; slot n belongs to rows[n]."""

    name = "loop"
    joins = True
    """New rows may join while others run."""

    def __init__(self, model: Any, max_rows: int, max_tokens: int) -> None:
        self.rows: list[Row] = []
        self._max_rows = max_rows
        self._max_tokens = max_tokens
        self._model = model
        self._slots = Slots(model.config.get_text_config())
        self._shifts = SlotShifts(model)
        self._head = model.get_output_embeddings()
        self._device = model.get_input_embeddings().weight.device
        # Eager attention adds its mask to the scores; torch's own reads a mask of booleans without a copy.
        self._adds_mask = model.config._attn_implementation == "eager"

    @property
    def bytes_per_token(self) -> int:
        """What the cache takes for one token of one row; 0 before the first row."""
        return self._slots.bytes_per_token

    @torch.inference_mode()
    def admit(self, rows: Sequence[Row]) -> list[Row]:
        """Read the prompts and write the first token of each row; gives the rows that are then finished.

        If it fails, none of these rows is there and the others are as they were.
        """
        first, count = len(self.rows), len(rows)
        self._make_room(rows)
        slots = list(range(first, first + count))
        for slot, row in zip(slots, rows, strict=True):
            self._shifts.place(slot, row.delta)
        order = sorted(range(count), key=lambda index: len(rows[index].request.prompt_ids))
        scores: dict[int, Tensor] = {}
        for part in _parts([len(rows[index].request.prompt_ids) for index in order]):
            chosen = order[part]
            found = self._read([rows[index] for index in chosen], [slots[index] for index in chosen])
            scores.update(zip(chosen, found, strict=True))
        self._write(rows, torch.stack([scores[index] for index in range(count)]))
        for row in rows:
            row.prompt_steered = sum(row.shifted_prompt)
        self.rows += rows
        return self._leave()

    @torch.inference_mode()
    def step(self) -> list[Row]:
        """Write one more token of every row; gives the rows that are then finished.

        If it fails, it can be tried again.
        """
        lengths = [len(row.request.prompt_ids) + len(row.ids) - 1 for row in self.rows]
        self._slots.expect_tokens(lengths)
        positions = torch.tensor(lengths, device=self._device)
        with self._shifts.applied(range(len(self.rows))):
            logits = self._model(
                input_ids=torch.tensor([row.ids[-1:] for row in self.rows], device=self._device),
                attention_mask=self._mask(positions) if len(set(lengths)) > 1 else None,
                position_ids=positions[:, None],
                past_key_values=self._slots.cache,
                use_cache=True,
            ).logits  # [B,1,V]
            self._write(self.rows, logits[:, -1].float())
        for row in self.rows:
            row.generated_steered += bool(row.delta)
        return self._leave()

    def drop(self, rows: Sequence[Row]) -> None:
        """Take rows out, finished or not."""
        gone = {id(row) for row in rows}
        kept = sum(id(row) not in gone for row in self.rows)
        holes = [slot for slot, row in enumerate(self.rows[:kept]) if id(row) in gone]
        movers = [slot for slot in range(kept, len(self.rows)) if id(self.rows[slot]) not in gone]
        for hole, mover in zip(holes, movers, strict=True):
            row = self.rows[mover]
            self._slots.move(mover, hole, len(row.request.prompt_ids) + len(row.ids))
            self._shifts.move(mover, hole)
            self.rows[hole] = row
        del self.rows[kept:]

    def shrink(self) -> list[Row]:
        """Give up the later half of the rows, and their memory; gives those, which must begin anew."""
        dropped = self.rows[(len(self.rows) + 1) // 2 :]
        self.drop(dropped)
        self._slots.resize(len(self.rows), self._slots.tokens)
        return dropped

    def _write(self, rows: Sequence[Row], scores: Tensor) -> None:
        write_next(rows, scores)

    def _make_room(self, new: Sequence[Row]) -> None:
        """Slots for the running and the new rows, as wide as the longest of them may become."""
        rows = len(self.rows) + len(new)
        need = max(row.request.need for row in (*self.rows, *new))
        if rows > self._slots.rows or not need <= self._slots.tokens <= 2 * need + _STEP:
            tokens = -(-need // _STEP) * _STEP
            # More than are needed now, since each change of size copies all slots.
            spare = min(2 * self._slots.rows, self._max_rows, self._max_tokens // tokens)
            self._slots.resize(max(rows, spare), tokens)
            self._shifts.reserve(self._slots.rows)

    def _leave(self) -> list[Row]:
        done = [(slot, row) for slot, row in enumerate(self.rows) if row.is_done]
        for slot, row in done:
            shifted = (row.prompt_steered + row.generated_steered) * len(row.delta)
            row.realised = self._shifts.relative_sum(slot) / shifted if shifted else 0.0
        finished = [row for _, row in done]
        self.drop(finished)
        return finished

    def _read(self, rows: Sequence[Row], slots: Sequence[int]) -> Tensor:
        """One pass over whole prompts -> the scores behind the last token of each, [B,V] float32."""
        lengths = [len(row.request.prompt_ids) for row in rows]
        width = max(lengths)
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros(len(rows), width, dtype=torch.bool)
        for number, row in enumerate(rows):
            ids[number, : lengths[number]] = torch.tensor(row.request.prompt_ids)
            mask[number, : lengths[number]] = torch.tensor(row.shifted_prompt)
        last = torch.tensor(lengths) - 1
        self._slots.expect_prompts(slots, lengths)
        # What follows a prompt's last token is seen by no real token, so no mask is needed.
        with self._shifts.applied(slots, mask), _LastTokens(self._head, last):
            logits = self._model(
                input_ids=ids.to(self._device),
                position_ids=torch.arange(width, device=self._device).expand(len(rows), -1),
                past_key_values=self._slots.cache,
                use_cache=True,
            ).logits  # [B,1,V]
        if logits.shape[:2] != (len(rows), 1):
            raise ValueError(f"logits of shape {tuple(logits.shape)} for the last token of {len(rows)} rows")
        scores: Tensor = logits[:, 0].float()
        return scores

    def _mask(self, lengths: Tensor) -> Tensor:
        """Each row sees its own tokens and the new one: [B,1,1,L]."""
        columns = torch.arange(int(lengths.max()) + 1, device=lengths.device)
        seen = (columns <= lengths[:, None])[:, None, None]
        if not self._adds_mask:
            return seen
        dtype = self._model.dtype
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(
            ~seen, torch.finfo(dtype).min
        )


class _LastTokens:
    """Lets the model's head see each row's last real token only: logits of whole prompts are large."""

    def __init__(self, head: torch.nn.Module, last: Tensor) -> None:
        self._head = head
        self._last = last

    def __enter__(self) -> None:
        self._handle = self._head.register_forward_pre_hook(self._pick)

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _pick(self, _module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = args[0]  # [B,T,d]
        rows = torch.arange(len(self._last), device=hidden.device)
        return (hidden[rows, self._last.to(hidden.device)][:, None], *args[1:])


def _parts(lengths: Sequence[int]) -> list[slice]:
    """Cut ascending lengths into runs that fit into one pass, and waste little on padding."""
    parts, start = [], 0
    for end in range(1, len(lengths) + 1):
        full = end == len(lengths) or (end + 1 - start) * lengths[end] > _PASS_TOKENS
        if full or lengths[end] > 1.25 * lengths[start] + 16:
            parts.append(slice(start, end))
            start = end
    return parts
