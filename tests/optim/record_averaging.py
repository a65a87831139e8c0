"""Record what PyTorch's weight averaging, batch-norm update and gradient clipping give, into averaging_torch.json.

Run with a Python that has PyTorch (2.13.0 was used)::

    python tests/optim/record_averaging.py

`tests/nn/test_utils.py` reads the clipping from the same file.
"""

import copy
import json
import math
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, update_bn

HERE = Path(__file__).parent
torch.set_default_dtype(torch.float64)


def model():
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def plain(state):
    return {key: value.tolist() for key, value in state.items()}


def averaging():
    torch.manual_seed(0)
    walker = model()
    kinds = {
        "swa": AveragedModel(walker),
        "swa_buffers": AveragedModel(walker, use_buffers=True),
        "ema": AveragedModel(walker, avg_fn=get_ema_avg_fn(0.9)),
        "ema_buffers": AveragedModel(walker, avg_fn=get_ema_avg_fn(0.5), use_buffers=True),
        "own": AveragedModel(walker, avg_fn=lambda averaged, new, n: 0.25 * averaged + 0.5 * new + 0.125),
    }
    steps = []
    for _ in range(6):
        with torch.no_grad():
            for p in walker.parameters():
                p += torch.randn_like(p)
        batch = torch.randn(5, 3)
        walker(batch)
        for averaged in kinds.values():
            averaged.update_parameters(walker)
        steps.append(
            {
                "model": plain(walker.state_dict()),
                "averages": {name: plain(averaged.state_dict()) for name, averaged in kinds.items()},
            }
        )
    swa = copy.deepcopy(kinds["swa"])
    batches = [torch.randn(n, 3) for n in (5, 4, 7)]
    swa.eval()
    update_bn([[batch, None] for batch in batches], swa)
    probe = torch.randn(2, 3)
    updated = {"batches": [batch.tolist() for batch in batches], "state": plain(swa.state_dict())}
    updated |= {"probe": probe.tolist(), "output": swa(probe).tolist()}
    return {"steps": steps, "update_bn": updated}


def clipping():
    torch.manual_seed(1)
    grads = [torch.randn(4, 3), torch.randn(5), torch.randn(())]
    found = {"grads": [g.tolist() for g in grads], "norm": [], "value": []}
    for p in (1.0, 2.0, 3.0, 0.5, math.inf):
        for longest in (0.0, 0.1, 1.0, 3.5, 100.0):
            parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in grads]
            for parameter, grad in zip(parameters, grads, strict=True):
                parameter.grad = grad.clone()
            norm = clip_grad_norm_(parameters, longest, norm_type=p)
            assert norm == get_total_norm(grads, p)
            clipped = [parameter.grad.tolist() for parameter in parameters]
            found["norm"].append({"p": str(p), "max_norm": longest, "norm": norm.item(), "clipped": clipped})
    for limit in (0.0, 0.3, 10.0):
        parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in grads]
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = grad.clone()
        clip_grad_value_(parameters, limit)
        found["value"].append({"limit": limit, "clipped": [parameter.grad.tolist() for parameter in parameters]})
    return found


if __name__ == "__main__":
    found = {"torch": torch.__version__, "averaging": averaging(), "clipping": clipping()}
    (HERE / "averaging_torch.json").write_text(json.dumps(found) + "\n", encoding="utf-8")
    print((HERE / "averaging_torch.json").stat().st_size, "bytes")
