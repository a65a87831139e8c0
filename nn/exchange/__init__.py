"""Weights from and to other programs: safetensors files, and models as ONNX files.

Both need the extra ``chainrule[io]``, which is loaded when it is first used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nn.checkpoint.files import FilePath, replacing
from nn.module import Module

from .onnx_export import export_onnx

__all__ = ["export_onnx", "load_safetensors", "save_safetensors"]

Arrays = dict[str, np.ndarray[Any, Any]]
# Number types of the format that NumPy has too; bfloat16 is read as the float32 of the same value.
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U64": "<u8",
    "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip


def _library() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError("safetensors files need the package safetensors: pip install 'chainrule[io]'") from None
    return safetensors


def save_safetensors(path: FilePath, weights: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write weights as a safetensors file, which PyTorch, JAX and many others read.

    Parameters
    ----------
    path : str or Path
        Where to; an old file stays whole until the new one is.
    weights : Module or dict of str to array_like
        What: the `state_dict` of a module, or arrays by name, of any layout in memory.
    metadata : dict of str to str, optional
        Notes to go with them.

    Raises
    ------
    TypeError
        If a name is no text or an array holds something other than real numbers of up to 64 bits.
    ImportError
        If the extra ``chainrule[io]`` is not installed.

    Notes
    -----
    Keys and layout of a module are PyTorch's, so ``torch_model.load_state_dict(load_file(path))`` takes them by name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_safetensors(f"{folder}/w.safetensors", {"0.weight": np.ones((2, 1)).T})
    ...     load_safetensors(f"{folder}/w.safetensors")
    {'0.weight': array([[1., 1.]])}
    """
    library = _library()
    state = weights.state_dict() if hasattr(weights, "state_dict") else weights
    if not isinstance(state, Mapping):
        raise TypeError(f"weights must be a module or a dict from names to arrays, not {type(weights).__name__}")
    kinds = {np.dtype(kind) for kind in DTYPES.values()}
    arrays: Arrays = {}
    for key, value in state.items():
        array = np.asarray(value)
        kind = array.dtype.newbyteorder("<")
        if not isinstance(key, str) or kind not in kinds:
            raise TypeError(f"{key!r} is {array.dtype}; safetensors files hold {', '.join(DTYPES)} under names of text")
        # The package writes memory as it lies: a transposed array would silently come back wrong.
        arrays[key] = array.astype(kind, order="C")
    text = library.numpy.save(arrays, dict(metadata) if metadata else None)
    with replacing(path) as file:
        file.write(text)


def load_safetensors(path: FilePath, model: Module | None = None, strict: bool = True) -> Arrays:
    """Read a safetensors file, and if a model is given put the weights into it by name.

    Parameters
    ----------
    path : str or Path
        Where from; also a file of PyTorch's ``safetensors.torch.save_file(model.state_dict(), path)``.
    model : Module, optional
        What takes the weights; all of them, or if anything does not fit none.
    strict : bool
        Refuse names that only one side has.

    Returns
    -------
    dict of str to ndarray
        The arrays, fresh and writable; bfloat16 as the float32 of the same value.

    Raises
    ------
    ValueError
        If the file is something else, damaged, holds a type that NumPy does not have, or does not fit the model.
    FileNotFoundError
        If there is no such file.
    ImportError
        If the extra ``chainrule[io]`` is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from nn import Linear
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_safetensors(f"{folder}/w.safetensors", {"weight": np.ones((1, 2)), "bias": np.zeros(1)})
    ...     layer = Linear(2, 1)
    ...     _ = load_safetensors(f"{folder}/w.safetensors", layer)
    >>> layer(np.array([[2.0, 3.0]])).data
    array([[5.]])
    """
    library, name = _library(), os.fspath(path)
    if not Path(path).is_file():
        raise FileNotFoundError(2, "there is no such safetensors file", name)
    try:
        found = library.deserialize(Path(path).read_bytes())
    except library.SafetensorError as error:
        raise ValueError(f"{name}: not a safetensors file, or a damaged one ({error})") from None
    arrays = {key: _array(f"{name}: {key!r}", tensor) for key, tensor in found}
    if model is not None:
        try:
            model.load_state_dict(arrays, strict)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return arrays


def _array(place: str, tensor: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """Return one array of a file, in the byte order of this machine."""
    kind, data = tensor["dtype"], tensor["data"]
    if kind == "BF16":  # the upper half of a float32
        flat = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    elif kind in DTYPES:
        flat = np.frombuffer(data, DTYPES[kind])
    else:
        raise ValueError(f"{place} has type {kind}, which NumPy does not have; convert it before saving")
    return flat.reshape(tensor["shape"]).astype(flat.dtype.newbyteorder("="), copy=True)
