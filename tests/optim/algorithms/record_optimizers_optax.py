"""Record where optax's optimizers lead on the problem beside this file, into recorded/optimizers_optax.npz.

Run with a Python that has JAX and optax (0.2.8 was used)::

    python tests/optim/algorithms/record_optimizers_optax.py
"""

from pathlib import Path

import jax
import numpy as np
import optax
from optax import contrib
from optimizer_problem import CHECKPOINTS, OPTAX, STEPS, loss_and_gradients, start

jax.config.update("jax_enable_x64", True)


def made(name, o):
    """The optax transformation that is meant to be our class of that name."""
    o = dict(o)
    lr = o.pop("lr", 1.0)
    if "betas" in o and not name.startswith(("Prodigy", "ScheduleFree")):
        o["b1"], o["b2"] = o.pop("betas")
    if name == "RMSprop":
        return optax.rmsprop(lr, decay=o["alpha"], eps=o["eps_root"])
    if name == "ScheduleFreeSGD":
        return contrib.schedule_free(optax.sgd(lr), lr, b1=o["momentum"])
    if name == "ScheduleFreeAdamW":
        b1, b2 = o["betas"]
        return contrib.schedule_free_adamw(lr, b1=b1, b2=b2, weight_decay=o["weight_decay"])
    if name == "Prodigy":
        o["estim_lr0"] = o.pop("d0")
        o["estim_lr_coef"] = o.pop("d_coef", 1.0)
        return contrib.prodigy(lr, **o)
    if name == "DoG":
        return contrib.dog(lr, init_step=("heuristic", o["reps_rel"]))
    if name == "DoWG":
        return contrib.dowg(lr, init_estim_sq_dist=o["d0"] ** 2, eps=1e-8)
    if name == "ADOPT":
        return contrib.adopt(lr)
    known = {"LAMB": optax.lamb, "LARS": optax.lars, "NovoGrad": optax.novograd, "AdaBelief": optax.adabelief}
    return known.get(name, getattr(optax, name.lower(), None))(lr, **o)


def grads(params):
    return loss_and_gradients(**{n: np.asarray(a) for n, a in params.items()})[1]


def flat(params):
    return np.concatenate([np.asarray(params[n]).ravel() for n in start()])


def walk(case):
    rule = made(case["class"], case["options"])
    params = {n: jax.numpy.asarray(a) for n, a in start().items()}
    state, rows = rule.init(params), []
    for step in range(1, STEPS + 1):
        updates, state = rule.update(grads(params), state, params)
        params = optax.apply_updates(params, updates)
        if step in CHECKPOINTS:
            rows.append(flat(params))
    return np.array(rows)


def walk_lookahead(case):
    o = case["options"]
    rule = optax.lookahead(optax.sgd(o["lr"]), sync_period=o["k"], slow_step_size=o["alpha"])
    both = optax.LookaheadParams.init_synced({n: jax.numpy.asarray(a) for n, a in start().items()})
    state, rows = rule.init(both), []
    for step in range(1, STEPS + 1):
        updates, state = rule.update(grads(both.fast), state, both)
        both = optax.apply_updates(both, updates)
        if step in CHECKPOINTS:
            rows.append(flat(both.fast))
    return np.array(rows)


def walk_sam(case):
    o = case["options"]
    adversarial = optax.chain(contrib.normalize(), optax.sgd(o["rho"]))
    rule = contrib.sam(optax.sgd(o["lr"]), adversarial, sync_period=2, opaque_mode=True)
    params = {n: jax.numpy.asarray(a) for n, a in start().items()}
    state, rows = rule.init(params), []
    for step in range(1, STEPS + 1):
        updates, state = rule.update(grads(params), state, params, grad_fn=lambda p, _: grads(p))
        params = optax.apply_updates(params, updates)
        if step in CHECKPOINTS:
            rows.append(flat(params))
    return np.array(rows)


special = {"Lookahead": walk_lookahead, "SAM": walk_sam}
found = {case["id"]: special.get(case["class"], walk)(case) for case in OPTAX}
np.savez_compressed(Path(__file__).parent / "recorded" / "optimizers_optax.npz", **found)
print(len(found), "cases")
