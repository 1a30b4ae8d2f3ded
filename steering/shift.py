"""The arithmetic of steering: how a residual stream is shifted and how large the shift came out.

Pure functions of tensors. B rows, T tokens, width d. Knows no model and no vector file.
"""

import torch
from torch import Tensor


def shift_rows(resid: Tensor, delta: Tensor, mask: Tensor) -> Tensor:
    """Add each row's delta to its tokens inside the mask.

    resid [B,T,d] any floating dtype, delta [B,d] float32, mask [B,T] bool -> [B,T,d] in resid's dtype.
    The sum is taken in float32 and rounded once. Tokens outside the mask, and rows whose delta is zero,
    come back to the bit (a float sum with 0 would turn -0.0 into 0.0). The input is not written to.
    """
    chosen = mask & delta.ne(0).any(dim=-1)[:, None]  # [B,T]
    wide = torch.promote_types(resid.dtype, delta.dtype)
    shifted = (resid.to(wide) + delta[:, None, :]).to(resid.dtype)  # [B,T,d]
    return torch.where(chosen[:, :, None], shifted, resid)


def relative_norm(before: Tensor, after: Tensor) -> Tensor:
    """|after - before| / |before| of every token, as rounded: [B,T,d], [B,T,d] -> [B,T] float32.

    A token whose residual is exactly 0 has no such ratio; it gives infinity if it was shifted and 0 if not.
    """
    wide = before.to(torch.float32)
    moved = torch.linalg.vector_norm(after.to(torch.float32) - wide, dim=-1)
    size = torch.linalg.vector_norm(wide, dim=-1)
    return torch.where(moved == 0, torch.zeros_like(moved), moved / size)
