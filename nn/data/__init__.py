"""Data sets, splitting, scaling, reading files, and the loader that returns batches.

Batches are plain arrays, since data are constants of the graph: ``loss(model(x), y)``.  Batch, stochastic and
mini-batch descent differ only in `DataLoader`'s ``batch_size``.

Examples
--------
>>> import numpy as np
>>> from nn.data import DataLoader, TensorDataset, standardize, train_test_split
>>> X, y = np.arange(20.0).reshape(10, 2), np.arange(10) % 2
>>> X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, rng=0)
>>> X_train, X_test = standardize(X_train, X_test)
>>> loader = DataLoader(TensorDataset(X_train, y_train), batch_size=3, shuffle=True, rng=0)
>>> [len(y) for x, y in loader]
[3, 3, 2]
"""

from .binary_readers import read_idx, read_mnist
from .csv_files import Table, csv_to_npy, read_csv, read_csv_chunks
from .dataset import Dataset, Subset, TensorDataset
from .loader import BlockSampler, DataLoader, RandomSampler, SequentialSampler, WeightedRandomSampler
from .mapped import MappedDataset
from .prepare import RobustScaler, Standardizer, one_hot, random_split, standardize, train_test_split

__all__ = [
    "BlockSampler", "DataLoader", "Dataset", "MappedDataset", "RandomSampler",
    "RobustScaler", "SequentialSampler", "Standardizer", "Subset", "Table", "TensorDataset", "WeightedRandomSampler",
    "csv_to_npy", "one_hot", "random_split", "read_csv", "read_csv_chunks", "read_idx", "read_mnist",
    "standardize", "train_test_split",
]  # fmt: skip
