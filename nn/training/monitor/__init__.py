"""Monitor a training: statistics of every layer, a diagnosis of problems with cures, and figures.

>>> import numpy as np, nn, optim
>>> from nn.training.monitor import Monitor
>>> model = nn.MLP(8, [8] * 12 + [1], activation="sigmoid", rng=0)
>>> optimizer = optim.SGD(model.parameters(), lr=0.1)
>>> monitor = Monitor(model, optimizer, every=1)
>>> X = np.random.default_rng(0).normal(size=(64, 8))
>>> for _ in range(5):
...     optimizer.zero_grad()
...     loss = nn.MSELoss()(model(X), X[:, :1])
...     loss.backward()
...     optimizer.step()
...     monitor.step(loss)
>>> print(monitor.report())
5 steps: the loss went from ... to ...
Vanishing (...): the typical gradient in ... is ... of that in the last layer, 24.weight (... against ...).
  Cure: ReLU or its relatives instead of sigmoid or tanh, ...
"""

from .diagnosis import Report, Verdict
from .monitor import Monitor, Sample

__all__ = ["Monitor", "Report", "Sample", "Verdict"]
