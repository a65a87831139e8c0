"""Record what PyTorch's schedules give over 200 steps, into schedules_torch.json.gz beside this file.

Run with a Python that has PyTorch (2.13.0 was used)::

    python tests/optim/lr_scheduler/record_schedules.py
"""

import gzip
import json
import warnings
from pathlib import Path

import torch
from schedule_cases import BY_HAND, CASES, LRS, PLATEAUS, STACKS, STEPS, metric
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

warnings.simplefilter("ignore")
HERE = Path(__file__).parent


def optimizer(name):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in LRS]
    if "adam" in name:
        return torch.optim.Adam(groups, lr=0.1, betas=(0.9, 0.99))
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9)


def made(text, opt):
    return eval(text, {**vars(lr_scheduler), "SWALR": SWALR, "opt": opt})


def seen(opt):
    """Rate of both groups, momentum of both groups."""
    momenta = [group["betas"][0] if "betas" in group else group["momentum"] for group in opt.param_groups]
    return [float(x) for x in [group["lr"] for group in opt.param_groups] + momenta]


def walk(opt, step):
    rows = [seen(opt)]
    for t in range(1, STEPS + 1):
        opt.step()
        step(t)
        rows.append(seen(opt))
    columns = [list(column) for column in zip(*rows, strict=True)]
    # A momentum that never moves is one number.
    return [column if len(set(column)) > 1 else column[0] for column in columns]


def record():
    found = {}
    for name, text in CASES.items():
        opt = optimizer(name)
        schedule = made(text, opt)
        found[name] = walk(opt, lambda t, s=schedule: s.step())
    for name, texts in STACKS.items():
        opt = optimizer(name)
        schedules = [made(text, opt) for text in texts]
        found[name] = walk(opt, lambda t, s=schedules: [schedule.step() for schedule in s])
    for name, (text, when) in BY_HAND.items():
        opt = optimizer(name)
        schedule = made(text, opt)

        def step(t, opt=opt, schedule=schedule, when=when):
            schedule.step()
            if t == when:
                for group in opt.param_groups:
                    group["lr"] *= 0.5

        found[name] = walk(opt, step)
    for name, options in PLATEAUS.items():
        opt = optimizer(name)
        schedule = lr_scheduler.ReduceLROnPlateau(opt, **options)
        found[name] = walk(opt, lambda t, s=schedule: s.step(metric(t)))
    return {"torch": torch.__version__, "curves": found}


if __name__ == "__main__":
    lines = record()
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(curve)}" for name, curve in lines["curves"].items())
    text = f'{{"torch": {json.dumps(lines["torch"])}, "curves": {{\n{rows}\n}}}}\n'
    (HERE / "schedules_torch.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{len(lines['curves'])} curves")
