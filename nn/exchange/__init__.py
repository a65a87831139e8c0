"""Exchange weights as safetensors files, and models as ONNX files, with other programs.

Both need the extra ``chainrule[io]``, which is imported at the first use.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autograd.files import existing_file, write_atomically
from nn.module import Module, tied_names
from nn.typing import Array, FilePath

from .onnx import export_onnx

__all__ = ["export_onnx", "load_safetensors", "save_safetensors"]

Arrays = dict[str, Array]
# Data types of the format that NumPy supports; bfloat16 is read as the float32 of the same value.
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
        The file, which is replaced atomically.
    weights : Module or dict of str to array_like
        A module, or arrays by name with any memory layout.
    metadata : dict of str to str, optional
        Metadata of the file.

    Raises
    ------
    TypeError
        If a name is not a string, or the dtype of an array is not supported.
    ImportError
        If the extra ``chainrule[io]`` is not installed.

    Notes
    -----
    Keys and layout of a module are PyTorch's, so ``torch_model.load_state_dict(load_file(path))`` takes them by name.
    Tied weights are written once, with their other names in the metadata, as by ``safetensors.torch.save_model``; load
    them in PyTorch by ``safetensors.torch.load_model``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_safetensors(f"{folder}/w.safetensors", {"0.weight": np.ones((2, 1)).T})
    ...     load_safetensors(f"{folder}/w.safetensors")
    {'0.weight': array([[1., 1.]])}
    """
    state = weights.state_dict() if hasattr(weights, "state_dict") else weights
    if not isinstance(state, Mapping):
        raise TypeError(f"weights must be a module or a dict from names to arrays, not {type(weights).__name__}")
    kinds = {np.dtype(kind) for kind in DTYPES.values()}
    tied: dict[str, str] = tied_names(weights) if isinstance(weights, Module) else {}
    arrays: Arrays = {}
    for key, value in state.items():
        if key in tied:
            continue
        array = np.asarray(value)
        kind = array.dtype.newbyteorder("<")
        if not isinstance(key, str) or kind not in kinds:
            raise TypeError(f"{key!r} is {array.dtype}; safetensors supports {', '.join(DTYPES)} and names of type str")
        # The package ignores strides: a transposed array would be saved in the wrong order.
        arrays[key] = array.astype(kind, order="C")
    library = _library()
    write_atomically(path, library.numpy.save(arrays, {**tied, **(metadata or {})} or None))


def load_safetensors(path: FilePath, model: Module | None = None, strict: bool = True) -> Arrays:
    """Read a safetensors file, and load the weights into a model if one is given.

    Parameters
    ----------
    path : str or Path
        The file; also one of PyTorch's ``safetensors.torch.save_file(model.state_dict(), path)`` or ``save_model``.
    model : Module, optional
        The model, which is unchanged after an error.
    strict : bool
        Raise if names of the file and the model differ.

    Returns
    -------
    dict of str to ndarray
        The arrays, new and writable; bfloat16 as the float32 of the same value.

    Raises
    ------
    ValueError
        If the file is not safetensors, is damaged, has a dtype unknown to NumPy, or does not match the model.
    FileNotFoundError
        If the file does not exist.
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
    library, name = _library(), os.fspath(existing_file(path, "safetensors file"))
    try:
        found = library.deserialize(Path(path).read_bytes())
        with library.safe_open(name, "np") as file:
            written_once: dict[str, str] = file.metadata() or {}
    except library.SafetensorError as error:
        raise ValueError(f"{name}: not a safetensors file, or a damaged one ({error})") from None
    arrays = {key: _array(f"{name}: {key!r}", tensor) for key, tensor in found}
    _add_tied(arrays, written_once)
    if model is not None:
        tied, given = tied_names(model), dict(arrays)
        _add_tied(given, {first: key for key, first in tied.items() if key in given})
        _add_tied(given, tied)
        try:
            model.load_state_dict(given, strict)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return arrays


def _add_tied(arrays: Arrays, tied: Mapping[str, str]) -> None:
    """Add arrays under their other names, which `tied` maps to those in the file."""
    for key, first in tied.items():
        if first in arrays and key not in arrays:
            arrays[key] = arrays[first].copy()


def _array(place: str, tensor: Mapping[str, Any]) -> Array:
    """Return one array of a file, in the byte order of this machine."""
    kind, data = tensor["dtype"], tensor["data"]
    if kind == "BF16":  # the upper half of a float32
        flat = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    elif kind in DTYPES:
        flat = np.frombuffer(data, DTYPES[kind])
    else:
        raise ValueError(f"{place} has type {kind}, which NumPy does not support; convert it before saving")
    return flat.reshape(tensor["shape"]).astype(flat.dtype.newbyteorder("="), copy=True)
