"""Read arrays from files in the IDX format of MNIST."""

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np

from autograd.files import existing_file
from nn.typing import Array, DType, FilePath

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: FilePath) -> Array:
    """Return the array in an IDX file, which may be compressed (``.gz``).

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    ndarray
        In the byte order of this machine.

    Raises
    ------
    ValueError
        If the magic number is wrong, or the size of the file does not match its header.

    Notes
    -----
    The layout is that of Y. LeCun's MNIST page: two zero bytes, a type, the number of axes, one big-endian 32-bit
    length per axis, then the data, the last axis fastest.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "labels").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    ...     read_idx(Path(folder, "labels"))
    array([5, 0, 4], dtype=uint8)
    """
    name, content = os.fspath(path), decompressed(existing_file(path).read_bytes(), path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES:
        raise ValueError(f"{name}: not an IDX file: it begins with {content[:4].hex(' ')}, not 00 00 and a type")
    start, kind = 4 + 4 * content[3], np.dtype(IDX_TYPES[content[2]])
    if len(content) < start:
        raise ValueError(f"{name}: the file ends within its header")
    shape = tuple(int(n) for n in np.frombuffer(content[4:start], ">u4"))
    found, wanted = len(content) - start, math.prod(shape) * kind.itemsize
    if found != wanted:
        raise ValueError(f"{name}: shape {shape} in its header needs {wanted:,} bytes, and {found:,} follow")
    return np.frombuffer(content, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))


def decompressed(contents: bytes, path: FilePath) -> bytes:
    """Return the contents of a file without the compression of gzip, if they have one; `path` is named in errors."""
    if contents[:2] != b"\x1f\x8b":
        return contents
    try:
        return gzip.decompress(contents)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{os.fspath(path)}: the compressed file is damaged ({error})") from None


def read_mnist(
    folder: FilePath, train: bool = True, flatten: bool = True, dtype: DType = np.float32
) -> tuple[Array, Array]:
    """Return images and labels of MNIST, or of a set in the same four files (Fashion-MNIST, KMNIST).

    Parameters
    ----------
    folder : str or Path
        The folder of ``train-images-idx3-ubyte`` and its companions, as distributed or decompressed.
    train : bool
        The 60,000 training images, or the 10,000 test images (``t10k-...``).
    flatten : bool
        Return images as rows of 784 values instead of 28 by 28.
    dtype : dtype
        The dtype of the images.

    Returns
    -------
    images : ndarray, shape (n, 784)
        From 0 to 1.
    labels : ndarray of int64, shape (n,)
        The digits.

    Raises
    ------
    FileNotFoundError
        If a file does not exist; nothing is downloaded.
    ValueError
        If a file is damaged, or there are more images than labels or vice versa.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images, labels = (Path(folder, f"train-{name}-ubyte") for name in ("images-idx3", "labels-idx1"))
    ...     _ = images.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255]))
    ...     _ = labels.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 7]))
    ...     read_mnist(folder)
    (array([[0., 1.]], dtype=float32), array([7]))
    """
    prefix = "train" if train else "t10k"
    image_file, label_file = _mnist_file(folder, f"{prefix}-images", 3), _mnist_file(folder, f"{prefix}-labels", 1)
    images, labels = read_idx(image_file), read_idx(label_file)
    for path, array, ndim in ((image_file, images, 3), (label_file, labels, 1)):
        if array.ndim != ndim or array.dtype != np.uint8:
            raise ValueError(f"{path}: expected {ndim} axes of bytes, found {array.dtype} of shape {array.shape}")
    if len(images) != len(labels):
        raise ValueError(f"{image_file} has {len(images)} images, and {label_file} {len(labels)} labels")
    scaled = images.astype(dtype) / np.asarray(255, dtype)
    return scaled.reshape(len(scaled), -1) if flatten else scaled, labels.astype(np.int64)


def _mnist_file(folder: FilePath, stem: str, axes: int) -> Path:
    names = [f"{stem}{mark}idx{axes}-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    for name in names:
        if (path := Path(folder) / name).is_file():
            return path
    raise FileNotFoundError(2, f"none of {', '.join(names)} is in the folder", os.fspath(folder))
