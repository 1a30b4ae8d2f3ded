"""Files of tensors: read strictly, written whole, and named by a hash. Nothing is unpickled.

What the tensors mean is the caller's matter.
"""

import hashlib
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from steering.errors import VectorMismatch


def tensor_hash(tensors: dict[str, Tensor]) -> str:
    """sha256 over names, shapes, dtypes and values."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_tensors(path: Path, expected_hash: str, again: str) -> dict[str, Tensor]:
    """The float32 tensors of a safetensors file. Damage of any kind is a VectorMismatch that ends in
    `again`, the way out."""
    try:
        tensors = load_file(path)
    except FileNotFoundError as error:
        raise VectorMismatch(f"{path} is missing beside its .json: {again}") from error
    except Exception as error:  # safetensors raises an exception class of its own for each kind of damage
        raise VectorMismatch(f"{path} cannot be read ({error}): {again}") from error
    if wrong := [name for name, tensor in tensors.items() if tensor.dtype != torch.float32]:
        raise VectorMismatch(f"{path} holds {', '.join(wrong)} in another dtype than float32: {again}")
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise VectorMismatch(f"{path} holds NaN or infinity: {again}")
    if tensor_hash(tensors) != expected_hash:
        raise VectorMismatch(
            f"{path} is not the file that its .json describes (tensor hash differs): {again}"
        )
    return tensors


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, f"{path}.part")
    os.replace(f"{path}.part", path)


def write_text(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
