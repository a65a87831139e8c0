"""A small training run that can be stopped and taken up again; started by `test_resume.py`, also as a program.

``python resumed_run.py FOLDER NAME...`` continues the runs saved in ``FOLDER/NAME.npz`` and prints every later loss.
"""

import json
import sys
from pathlib import Path

import numpy as np

import autograd
import nn
import optim
from nn import checkpoint
from nn.data import DataLoader, TensorDataset
from optim.averaging import AveragedModel, get_ema_avg_fn
from optim.lr_scheduler import CosineAnnealingLR

EPOCHS = 3
LR = {"LBFGS": 0.5, "Prodigy": 1.0, "Adadelta": 1.0}


def optimizer_of(name, parameters):
    """An optimizer by name; wrappers go around SGD with momentum."""
    made = getattr(optim, name)
    if name in ("Lookahead", "SAM"):
        return made(optim.SGD(parameters, lr=0.05, momentum=0.9))
    return made(list(parameters), lr=LR.get(name, 0.01))


class Run:
    """Everything that a run consists of, and its loop."""

    def __init__(self, name, seed):
        rng = np.random.default_rng(seed)
        nn.manual_seed(seed)  # for the dropout that has no generator of its own
        X = np.linspace(-1, 1, 66).reshape(22, 3)
        layers = [nn.Linear(n, m, rng=rng) for n, m in ((3, 4), (4, 1))]
        noise = [nn.Dropout(0.1), nn.Dropout(0.1, rng=int(rng.integers(2**31)))]
        self.model = nn.Sequential(layers[0], nn.BatchNorm1d(4, affine=False), nn.Tanh(), *noise, layers[1])
        self.optimizer = optimizer_of(name, self.model.parameters())
        self.scheduler = CosineAnnealingLR(self.optimizer, T_max=20)
        self.average = AveragedModel(self.model, get_ema_avg_fn(0.9))
        self.loader = DataLoader(TensorDataset(X, np.sin(3 * X.sum(1, keepdims=True))), 5, shuffle=True, rng=rng)
        self.rng = rng
        self.losses = []

    def parts(self):
        """What a checkpoint holds of it."""
        names = ("model", "optimizer", "scheduler", "average", "loader", "rng")
        return {name: getattr(self, name) for name in names}

    def train(self, stop=None):
        """Train to the end, or until `stop` batches were seen; returns the losses so far."""
        for _ in range(self.loader.epoch, EPOCHS):
            for x, y in self.loader:
                self.losses.append(self.step(x, y))
                if len(self.losses) == stop:
                    return self.losses
        return self.losses

    def step(self, x, y):
        """One step; returns the loss to the bit, and with it one of the averaged model."""

        parameters = self.optimizer.parameters

        def closure():
            self.optimizer.zero_grad()
            residuals = self.model(x) - (y + 0.01 * self.rng.standard_normal(y.shape))
            if self.optimizer.needs_product == "jacobian":
                return residuals, lambda u: autograd.gradients(residuals, parameters, u)
            loss = (residuals * residuals).mean()
            loss.backward()
            return (loss, autograd.hessian_product(loss, parameters)) if self.optimizer.needs_product else loss

        found = self.optimizer.step(closure)
        loss = float(found.item() if hasattr(found, "item") else found)
        self.scheduler.step()
        self.average.update_parameters(self.model)
        return [loss.hex(), float(np.sum(self.average.module.eval()(x).data)).hex()]


def resumed(path, name):
    """The losses of a run taken up from a file, beginning with those before it was saved."""
    run = Run(name, seed=99)
    run.losses = checkpoint.load(path, **run.parts())["losses"]
    return run.train()


if __name__ == "__main__":
    folder, *names = sys.argv[1:]
    json.dump({name: resumed(Path(folder) / f"{name}.npz", name) for name in names}, sys.stdout)
