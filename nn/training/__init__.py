"""Training: `fit` is the loop below with progress, history, validation, early stopping, checkpoints and logs.

The loop written by hand::

    for epoch in range(20):
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()

and the same by `fit`:

>>> import numpy as np, nn, optim
>>> from nn.training import fit
>>> rng = np.random.default_rng(0)
>>> X = rng.normal(size=(64, 2))
>>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
>>> model = nn.MLP(2, [16, 2], rng=0)
>>> optimizer = optim.Adam(model.parameters(), lr=0.05)
>>> history = fit(model, nn.CrossEntropyLoss(), optimizer, (X, y), epochs=30, metrics="accuracy", rng=0, progress=False)
>>> history["accuracy"][-1] > 0.9
True
"""

from .callbacks import BestModel, Callback, EarlyStopping, JSONLines, TensorBoard
from .evaluation import evaluate
from .history import History
from .run import Run, fit

__all__ = ["BestModel", "Callback", "EarlyStopping", "History", "JSONLines", "Run", "TensorBoard", "evaluate", "fit"]
