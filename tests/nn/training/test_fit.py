"""`fit`: it is the plain loop, and everything around it does what it says."""

import json
import math
import os
import re
import signal
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import autograd
import nn
import optim
from nn.training import BestModel, Callback, EarlyStopping, History, JSONLines, TensorBoard, evaluate, fit
from nn.training.solvers import EMA
from nn.training.stepping import Stepper

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 3))
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
TRAIN, VALIDATION = (X[:64], Y[:64]), (X[64:], Y[64:])


def parts(seed=0, optimizer=optim.Adam, lr=0.01, model=None):
    model = model or nn.MLP(3, [8, 2], rng=seed)
    return model, nn.CrossEntropyLoss(), optimizer(model.parameters(), lr=lr)


def loader(batch_size=16, seed=0, data=TRAIN):
    return nn.data.DataLoader(nn.data.TensorDataset(*data), batch_size, shuffle=True, rng=seed)


def quiet(*args, **options):
    return fit(*args, **{"progress": False, **options})


def same(a, b):
    left, right = a.state_dict(), b.state_dict()
    return all(np.array_equal(left[key], right[key]) for key in left)


def without_seconds(history):
    return {key: values for key, values in history.items() if key != "seconds"}


# ------------------------------------------------------------------------------------------------ the loop itself


def test_fit_is_the_plain_loop_bit_for_bit():
    by_hand, criterion, optimizer = parts()
    losses = []
    batches = loader()
    for _ in range(3):
        total = 0.0
        for x, y in batches:
            optimizer.zero_grad()
            loss = criterion(by_hand(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        losses.append(total / 64)
    model, criterion, optimizer = parts()
    history = quiet(model, criterion, optimizer, loader(), epochs=3)
    assert same(model, by_hand)
    assert history["loss"] == losses


def test_arrays_datasets_and_loaders_are_the_same_data():
    runs = []
    for data in (TRAIN, nn.data.TensorDataset(*TRAIN), loader(32, 5)):
        model, *rest = parts()
        runs.append(without_seconds(quiet(model, *rest, data, epochs=2, rng=5)))
    assert runs[0] == runs[1] == runs[2]


def test_history_has_every_quantity_and_validation_does_not_train():
    model, *rest = parts()
    history = quiet(model, *rest, TRAIN, validation=VALIDATION, epochs=2, metrics=["accuracy", "f1"], rng=0)
    wanted = {"loss", "accuracy", "f1", "lr", "seconds"} | {f"validation {k}" for k in ("loss", "accuracy", "f1")}
    assert set(history) == wanted
    assert history.epochs == 2
    assert history["lr"] == [0.01, 0.01]
    again = evaluate(model, rest[0], VALIDATION, "accuracy", prefix="validation ")
    assert again["validation loss"] == history["validation loss"][-1]
    assert model.training


def test_evaluation_is_without_dropout():
    model = nn.Sequential(nn.Linear(3, 32, rng=0), nn.Dropout(0.5), nn.Linear(32, 2, rng=1))
    numbers = [evaluate(model, nn.CrossEntropyLoss(), VALIDATION) for _ in range(2)]
    assert numbers[0] == numbers[1]
    assert model.training


def test_accumulated_batches_make_the_step_of_one_large_batch():
    whole, *rest = parts(optimizer=optim.SGD, lr=0.1)
    quiet(whole, *rest, nn.data.DataLoader(nn.data.TensorDataset(*TRAIN), 24), epochs=2)
    pieces, *rest = parts(optimizer=optim.SGD, lr=0.1)
    quiet(pieces, *rest, nn.data.DataLoader(nn.data.TensorDataset(*TRAIN), 8), epochs=2, accumulate=3)
    for a, b in zip(whole.parameters(), pieces.parameters(), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12, atol=1e-14)


def test_batches_count_by_what_the_mean_of_the_loss_divides_by():
    loss, found = nn.CrossEntropyLoss(weight=[0.1, 2.0], ignore_index=7), []
    targets = np.where(np.arange(64) % 3, Y[:64], 7)
    targets[8:16] = 7  # the second of eight batches counts for nothing
    assert loss.divisor(targets) == pytest.approx(0.1 * np.sum(targets == 0) + 2.0 * np.sum(targets == 1))
    assert nn.CrossEntropyLoss().divisor(np.full((4, 2), 0.5)) == 4.0
    for rows in (64, 8):
        data = nn.data.DataLoader(nn.data.TensorDataset(X[:64], targets), rows)
        found.append(evaluate(nn.MLP(3, [2], rng=0), loss, data)["loss"])
    assert found[1] == pytest.approx(found[0], rel=1e-12)
    targets[8:16] = 1
    for rows, accumulate in ((32, 1), (8, 4)):
        model, _, optimizer = parts(optimizer=optim.SGD)
        data = nn.data.DataLoader(nn.data.TensorDataset(X[:64], targets), rows)
        history = quiet(model, loss, optimizer, data, epochs=2, accumulate=accumulate)
        found.append(np.r_[history["loss"], model[0].weight.data.ravel()])
    np.testing.assert_allclose(found[3], found[2], rtol=1e-12)


def test_a_nonfinite_loss_is_reported_once_with_its_cause():
    holes = X.copy()
    holes[70, 1] = np.nan
    for inputs, lr, said in (
        (X, 1e9, "lower the learning rate, clip gradients"),
        (holes, 0.01, r"1 of 288 values of input 0 are nan or inf, the first at index \(70, 1\) .*remove or fill"),
    ):
        model = nn.MLP(3, [8, 8, 1], rng=0)
        data = nn.data.DataLoader(nn.data.TensorDataset(inputs, Y[:, None].astype(float)), 96)
        with pytest.warns(RuntimeWarning) as caught:
            quiet(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=lr), data, epochs=300)
        (last,) = (str(w.message) for w in caught if "training ended early" in str(w.message))
        assert re.search(said, last)


def test_divergence_is_reported_at_the_first_epoch_that_shows_it():
    model = nn.MLP(3, [8, 1], rng=0)
    optimizer = optim.SGD(model.parameters(), lr=1e6)
    with pytest.warns(RuntimeWarning) as caught:
        history = quiet(model, nn.MSELoss(), optimizer, (X, Y[:, None].astype(float)), batch_size=len(X), epochs=20)
    first, last = (str(warning.message) for warning in caught)
    epoch, loss = re.search(r"the loss of epoch (\d) is (.*), and a parameter has grown beyond 1e15", first).groups()
    assert loss == f"{history['loss'][int(epoch) - 1]:.3g}"
    assert last.startswith("training ended early: the loss is inf")


def test_unknown_class_is_named_in_the_error_of_the_loss():
    model, _, optimizer = parts()
    with pytest.raises(IndexError, match=r"class index 5 in row \d is not in \[0, 2\)"):
        quiet(model, nn.CrossEntropyLoss([1.0, 2.0]), optimizer, (X[:4], np.array([0, 1, 1, 5])), rng=0, epochs=1)


def test_loss_with_sum_reduction_accumulates_sums():
    ends = []
    for size, accumulate in ((16, 1), (8, 2)):
        model = nn.MLP(3, [1], rng=0)
        optimizer = optim.SGD(model.parameters(), lr=1e-3)
        data = nn.data.DataLoader(nn.data.TensorDataset(X, X[:, :1]), size)
        quiet(model, nn.MSELoss(reduction="sum"), optimizer, data, epochs=1, accumulate=accumulate)
        ends.append(model[0].weight.data)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-12)


def test_l2_is_the_gradient_of_half_the_squared_weights():
    model, criterion, optimizer = parts(optimizer=optim.SGD, lr=0.5)
    before = model.state_dict()
    loss = criterion(model(X[:64]), Y[:64])
    loss.backward()
    grads = {name: p.grad.copy() for name, p in model.named_parameters()}
    quiet(model, criterion, optimizer, nn.data.DataLoader(nn.data.TensorDataset(*TRAIN), 64), epochs=1, l2=0.1)
    for name, p in model.named_parameters():
        decay = 0.1 * before[name] if name.endswith("weight") else 0.0
        np.testing.assert_allclose(p.data, before[name] - 0.5 * (grads[name] + decay), rtol=1e-12)


def test_gradients_are_clipped_and_their_norm_recorded():
    model, *rest = parts(optimizer=optim.SGD, lr=1.0)
    before = nn.utils.parameters_to_vector(model.parameters())
    history = quiet(model, *rest, nn.data.DataLoader(nn.data.TensorDataset(*TRAIN), 64), epochs=1, clip_grad_norm=1e-3)
    step = nn.utils.parameters_to_vector(model.parameters()) - before
    assert np.linalg.norm(step) == pytest.approx(1e-3, rel=1e-2)
    assert history["gradient norm"][0] > 1e-2
    model, *rest = parts(optimizer=optim.SGD, lr=1.0)
    quiet(model, *rest, nn.data.DataLoader(nn.data.TensorDataset(*TRAIN), 64), epochs=1, clip_grad_value=1e-4)
    assert np.abs(nn.utils.parameters_to_vector(model.parameters()) - before).max() <= 1.0001e-4


CLOSURES = [optim.LBFGS, lambda p, lr: optim.SAM(optim.SGD(p, lr=lr)), optim.AdaHessian, optim.NewtonCG, optim.Sophia]


@pytest.mark.parametrize("optimizer", CLOSURES)
def test_optimizers_that_need_a_closure_get_one(optimizer):
    model, *rest = parts(optimizer=optimizer, lr=0.1)
    history = quiet(model, *rest, TRAIN, epochs=3, batch_size=64, rng=0)
    assert history["loss"][-1] < history["loss"][0]


def test_optimizers_of_residuals_are_refused_with_the_cure():
    model, criterion, optimizer = parts(optimizer=optim.LevenbergMarquardt, lr=1.0)
    with pytest.raises(ValueError, match=r"needs the residuals of all rows.*autograd\.gradients"):
        quiet(model, criterion, optimizer, TRAIN, epochs=1)


def test_optimizers_of_products_are_refused_on_several_ranks():
    for wrap in (lambda optimizer: optimizer, lambda optimizer: EMA(optim.Lookahead(optimizer))):
        model, criterion, optimizer = parts(optimizer=lambda p, lr: wrap(optim.NewtonCG(p)))  # noqa: B023
        with pytest.raises(ValueError, match="needs products with the Hessian"):
            Stepper(model, criterion, optimizer, comm=SimpleNamespace(rank=0, size=2))


def test_schedule_free_is_measured_at_its_average():
    model, *rest = parts(optimizer=optim.ScheduleFreeAdamW, lr=0.05)
    history = quiet(model, *rest, TRAIN, validation=TRAIN, epochs=5, rng=0)
    assert evaluate(model, rest[0], TRAIN)["loss"] == history["validation loss"][-1]


# ----------------------------------------------------------------------------------------------------- schedules


def test_schedules_step_per_step_or_per_epoch():
    model, criterion, optimizer = parts()
    warmup = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=8)
    step = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.1)
    history = quiet(model, criterion, optimizer, loader(), epochs=3, scheduler={"step": warmup, "epoch": [step]})
    assert history["lr"] == pytest.approx([0.01 * 0.75, 0.01 * 0.1, 0.01 * 0.01])
    model, criterion, optimizer = parts()
    one = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=8)
    quiet(model, criterion, optimizer, loader(), epochs=2, scheduler=one)
    assert one.last_epoch == 8


class OwnPlateau(optim.lr_scheduler.ReduceLROnPlateau):
    """A subclass with another name."""


class OwnCycle(optim.lr_scheduler.OneCycleLR):
    """A subclass with another name."""


@pytest.mark.parametrize(
    "make",
    [OwnPlateau, lambda o, patience: optim.lr_scheduler.WarmupLR(optim.lr_scheduler.ReduceLROnPlateau(o), patience)],
)
def test_wrapped_or_derived_plateau_schedule_receives_the_loss(make):
    model, criterion, optimizer = parts()
    history = quiet(model, criterion, optimizer, loader(), epochs=3, scheduler=make(optimizer, patience=2))
    assert history.epochs == 3


@pytest.mark.parametrize("make", [OwnCycle, lambda *a, **k: optim.lr_scheduler.ChainedScheduler([OwnCycle(*a, **k)])])
def test_wrapped_or_derived_cycle_steps_per_batch(make):
    rates = []
    for kind in (make, optim.lr_scheduler.OneCycleLR):
        model, criterion, optimizer = parts(optimizer=optim.SGD)
        schedule = kind(optimizer, max_lr=0.1, total_steps=8, cycle_momentum=False)
        rates.append(quiet(model, criterion, optimizer, loader(), epochs=2, scheduler=schedule)["lr"])
    assert rates[0] == rates[1]


def test_wrapped_optimizer_that_needs_a_closure_gets_one():
    model, criterion, optimizer = parts(optimizer=lambda p, lr: optim.Lookahead(optim.SAM(optim.SGD(p, lr=lr))))
    assert quiet(model, criterion, optimizer, TRAIN, epochs=1, rng=0).epochs == 1


def test_plateau_schedule_receives_the_validation_loss():
    model, criterion, optimizer = parts(optimizer=optim.SGD, lr=1e-12)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, eps=0.0)
    history = quiet(model, criterion, optimizer, loader(), validation=VALIDATION, epochs=5, scheduler=plateau)
    assert plateau.best == history["validation loss"][0]
    assert history["lr"][-1] < history["lr"][0]


# ------------------------------------------------------------------------------------------------------ stopping


class Scripted(Callback):
    """Puts made-up validation losses into the place of measured ones."""

    def __init__(self, losses):
        self.losses = losses

    def on_epoch_end(self, run):
        run.numbers["validation loss"] = self.losses[run.epoch - 1]


def test_early_stopping_waits_stops_and_restores_the_best():
    model, *rest = parts()
    states = []
    remember = lambda run: states.append(run.model.state_dict())  # noqa: E731
    script = Scripted([3.0, 2.0, 2.5, 2.4, 1.9, 2.0, 2.0, 2.0, 0.0])
    stop = EarlyStopping(patience=2)
    history = quiet(model, *rest, TRAIN, epochs=9, callbacks=[remember, script, stop], rng=0)
    assert history.epochs == 8
    assert "best was epoch 5" in history.stopped
    assert (stop.epoch, stop.value) == (5, 1.9)
    best = states[4]
    assert all(np.array_equal(best[k], v) for k, v in model.state_dict().items())


def test_equal_loss_is_no_improvement():
    model, *rest = parts()
    stop = EarlyStopping(patience=1)
    assert quiet(model, *rest, TRAIN, epochs=9, callbacks=[Scripted([2.0] * 9), stop], rng=0).epochs == 3
    assert stop.epoch == 1


def test_early_stopping_with_accuracy_keeps_the_maximum():
    model, *rest = parts()
    history = quiet(
        model, *rest, TRAIN, validation=VALIDATION, epochs=50, metrics="accuracy", rng=0,
        early_stopping=EarlyStopping(3, "validation accuracy"),
    )  # fmt: skip
    assert history.epochs < 50
    final = evaluate(model, rest[0], VALIDATION, "accuracy")["accuracy"]
    assert final == max(history["validation accuracy"]) == history.best("validation accuracy")[1]


def test_loss_of_nan_ends_training_with_a_warning():
    model, *rest = parts(optimizer=optim.SGD, lr=1e200)
    with pytest.warns(RuntimeWarning) as seen, np.errstate(all="ignore"):
        history = quiet(model, *rest, TRAIN, epochs=9, rng=0)
    assert any("lower the learning rate" in str(w.message) for w in seen)
    assert history.epochs < 9
    assert "nan" in history.stopped or "inf" in history.stopped


def test_callbacks_are_called_in_order_and_may_stop():
    heard = []

    class All(Callback):
        def on_train_begin(self, run):
            heard.append("begin")

        def on_epoch_begin(self, run):
            heard.append(f"epoch {run.epoch}")

        def on_step_end(self, run):
            assert run.model[0].weight.grad is not None
            heard.append(run.step)
            if run.step == 6:
                run.stop("enough")

        def on_epoch_end(self, run):
            heard.append(sorted(run.numbers))

        def on_train_end(self, run):
            heard.append("end")

    model, *rest = parts()
    history = quiet(model, *rest, loader(), epochs=5, callbacks=All())
    numbers = ["loss", "lr", "seconds"]
    assert heard == ["begin", "epoch 1", 1, 2, 3, 4, numbers, "epoch 2", 5, 6, numbers, "end"]
    assert history.stopped == "enough"


def test_on_train_end_is_called_after_an_error():
    ended = []

    class Failing(Callback):
        def on_step_end(self, run):
            raise ZeroDivisionError

        def on_train_end(self, run):
            ended.append(True)

    model, *rest = parts()
    with pytest.raises(ZeroDivisionError):
        quiet(model, *rest, TRAIN, epochs=2, callbacks=Failing())
    assert ended == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_callbacks_used_for_a_second_training_start_anew(tmp_path):
    stop, best = EarlyStopping(3), BestModel(tmp_path / "best.npz")
    noise, models, epochs = RNG.integers(0, 2, 64), [], []
    for target in (TRAIN[1], noise):
        model, *rest = parts()
        (tmp_path / "best.npz").unlink(missing_ok=True)
        history = quiet(model, *rest, (TRAIN[0], target), epochs=4, early_stopping=stop, callbacks=best, rng=0)
        models.append(model)
        epochs.append((stop.epoch, stop.value))
        assert (stop.epoch, stop.value) == (best.epoch, best.value) == history.best("loss")
        assert (tmp_path / "best.npz").exists()
    assert not same(*models)
    assert epochs[0] != epochs[1]


def test_monitor_used_for_a_second_training_starts_anew():
    model, *rest = parts()
    monitor = nn.Monitor(model, every=1)
    for _ in range(2):
        quiet(model, *rest, loader(), epochs=2, callbacks=monitor)
        assert [len(part) for part in (monitor.losses, monitor.samples, monitor.epochs)] == [8, 8, 2]


def test_fit_keeps_a_submodule_in_evaluation_mode():
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.BatchNorm1d(4), nn.Linear(4, 2, rng=1))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    quiet(model, nn.CrossEntropyLoss(), optimizer, TRAIN, epochs=1, rng=0)
    before = model[1].running_mean.copy()
    model[1].eval()
    quiet(model, nn.CrossEntropyLoss(), optimizer, TRAIN, validation=VALIDATION, epochs=2, rng=0)
    np.testing.assert_array_equal(model[1].running_mean, before)
    assert [m.training for m in model.modules()] == [True, True, False, True]
    model.eval()
    quiet(model, nn.CrossEntropyLoss(), optimizer, TRAIN, epochs=1, rng=0)  # trains all of it
    assert not np.array_equal(model[1].running_mean, before)
    assert not any(m.training for m in model.modules())


def test_evaluate_restores_the_mode_of_every_submodule_also_after_an_error():
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.Dropout().eval())
    evaluate(model, nn.CrossEntropyLoss(), VALIDATION)
    with pytest.raises(ValueError, match="4"):
        evaluate(model, nn.CrossEntropyLoss(), (np.ones((2, 4)), np.zeros(2, int)))
    assert [m.training for m in model.modules()] == [True, True, False]


def test_attribute_better_of_a_metric_decides_what_is_best(tmp_path):
    def shortfall(output, target):
        return values.pop()

    values = [1.0, 3.0, 2.0]
    shortfall.better = "lower"
    model, *rest = parts()
    stop = EarlyStopping(5, "shortfall")
    history = quiet(model, *rest, TRAIN, epochs=3, metrics=[shortfall], early_stopping=stop, rng=0)
    assert history["shortfall"] == [2.0, 3.0, 1.0]
    assert stop.epoch == 3
    assert history.best("shortfall") == (3, 1.0)
    assert (history.better("validation loss"), history.better("rmse"), history.better("r2")) == (
        "lower", "lower", "higher",
    )  # fmt: skip


# ----------------------------------------------------------------------------------------- interrupt and resume


class PressCtrlC(Callback):
    """Sends the process the signal that Ctrl-C sends."""

    def __init__(self, step):
        self.at = step

    def on_step_end(self, run):
        if run.step == self.at:
            os.kill(os.getpid(), signal.SIGINT)

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def run(checkpoint=None, resume=False, press=None, epochs=4):
    model = nn.Sequential(nn.Linear(3, 8, rng=1), nn.Tanh(), nn.Linear(8, 2, rng=2))
    criterion, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.02)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=16)
    history = quiet(
        model, criterion, optimizer, loader(10, seed=3), validation=VALIDATION, epochs=epochs, metrics="accuracy",
        scheduler={"step": schedule}, callbacks=[PressCtrlC(press)], early_stopping=9, clip_grad_norm=1.0,
        checkpoint=checkpoint, resume=resume,
    )  # fmt: skip
    return model, history


@pytest.mark.parametrize("press", [1, 7, 9, 14, 20])
def test_after_ctrl_c_a_resumed_run_has_the_bits_of_one_never_stopped(press, tmp_path):
    model, history = run()
    path = tmp_path / "run.npz"
    _, first = run(path, press=press)
    assert first.interrupted
    assert first.stopped == "interrupted"
    assert first.epochs == (press - 1) // 7
    resumed_model, resumed = run(path, resume=True)
    assert same(model, resumed_model)
    assert without_seconds(resumed) == without_seconds(history)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_shared_generator_is_resumed(tmp_path):
    def drawn(name, *epochs):
        kept = []
        for seed, number in enumerate(epochs):
            nn.manual_seed(seed)  # a second process starts elsewhere
            model, *rest = parts()
            draw = lambda run: kept.append(nn.random.as_generator().random())  # noqa: E731
            quiet(model, *rest, TRAIN, epochs=number, checkpoint=tmp_path / name, resume=True, callbacks=draw, rng=0)
        return kept

    assert drawn("whole.npz", 4) == drawn("parts.npz", 2, 4)


def test_finished_run_resumes_for_more_epochs(tmp_path):
    model, history = run()
    run(tmp_path / "run.npz", epochs=2)
    longer, resumed = run(tmp_path / "run.npz", resume=True)
    assert same(model, longer)
    assert without_seconds(resumed) == without_seconds(history)
    _, again = run(tmp_path / "run.npz", resume=True)
    assert without_seconds(again) == without_seconds(history)


def test_resume_without_a_file_begins(tmp_path):
    _, history = run(tmp_path / "run.npz", resume=True, epochs=1)
    assert history.epochs == 1
    assert (tmp_path / "run.npz").exists()


def test_keyboard_interrupt_raised_by_a_callback_ends_cleanly_too(tmp_path):
    def press(run):
        raise KeyboardInterrupt

    model, *rest = parts()
    history = quiet(model, *rest, TRAIN, epochs=3, callbacks=press, checkpoint=tmp_path / "run.npz", rng=0)
    assert history.interrupted
    assert history.epochs == 1
    assert (tmp_path / "run.npz").exists()


def test_second_ctrl_c_raises_at_once():
    class Twice(Callback):
        def on_step_end(self, run):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    model, *rest = parts()
    with pytest.raises(KeyboardInterrupt):
        quiet(model, *rest, TRAIN, epochs=2, callbacks=Twice())


# ------------------------------------------------------------------------------------------- files and reporting


def test_best_model_is_kept_in_a_file(tmp_path):
    model, *rest = parts()
    script = Scripted([3.0, 1.0, 2.0])
    states = []
    quiet(
        model, *rest, TRAIN, epochs=3, rng=0,
        callbacks=[lambda run: states.append(run.model.state_dict()), script, BestModel(tmp_path / "best.npz")],
    )  # fmt: skip
    other = nn.MLP(3, [8, 2], rng=9)
    rest = nn.checkpoint.load(tmp_path / "best.npz", other)
    assert rest["epoch"] == 2
    assert all(np.array_equal(states[1][k], v) for k, v in other.state_dict().items())


def test_best_model_continues_from_the_state_of_an_earlier_version():
    best = BestModel("best.npz")
    best.load_state_dict({"value": 0.5, "epoch": 2})
    assert best.state_dict() == {"value": 0.5, "epoch": 2, "kept": None}


def test_log_is_a_line_of_json_per_epoch(tmp_path):
    model, *rest = parts()
    log = tmp_path / "log.jsonl"
    history = quiet(model, *rest, TRAIN, validation=VALIDATION, epochs=3, log=log, rng=0)
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["epoch"] for e in entries] == [1, 2, 3]
    assert [e["validation loss"] for e in entries] == history["validation loss"]


def test_log_spells_out_what_json_lacks(tmp_path):
    log = JSONLines(tmp_path / "log.jsonl")
    model, *rest = parts(optimizer=optim.SGD, lr=1e200)
    with pytest.warns(RuntimeWarning), np.errstate(all="ignore"):
        quiet(model, *rest, TRAIN, epochs=3, callbacks=log, rng=0)
    entries = [json.loads(line, parse_constant=pytest.fail) for line in log.path.read_text().splitlines()]
    assert any(e.get("loss") in ("nan", "inf") for e in entries)
    assert "stopped" in entries[-1]


def test_log_of_a_resumed_run_is_never_empty(tmp_path):
    log = JSONLines(tmp_path / "log.jsonl")
    log.path.write_text('{"epoch": 1, "step": 2}\n{"epoch": 2, "step": 4}\n')
    log.on_train_begin(SimpleNamespace(step=2))  # a run that is killed in its first epoch writes no more
    assert log.path.read_text() == '{"epoch": 1, "step": 2}\n'


def test_tensorboard_receives_the_measurements(tmp_path):
    pytest.importorskip("tensorboardX")
    model, *rest = parts()
    callback = TensorBoard(tmp_path / "runs")
    seen = []

    def record(run):
        callback.writer.add_scalar = lambda name, value, epoch: seen.append((name, epoch))

    quiet(
        model,
        *rest,
        TRAIN,
        validation=VALIDATION,
        epochs=2,
        callbacks=[callback, SimpleNamespace(on_train_begin=record)],
        rng=0,
    )
    assert ("loss/training", 1) in seen
    assert ("loss/validation", 2) in seen
    assert list((tmp_path / "runs").iterdir())


def test_without_a_terminal_progress_is_plain_lines(capsys):
    model, *rest = parts()
    fit(model, *rest, TRAIN, epochs=3, metrics="accuracy", rng=0)
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines()] == ["1/3", "2/3", "3/3"]
    assert "accuracy" in out
    assert not err
    model, *rest = parts()
    fit(model, *rest, TRAIN, epochs=200, batch_size=64, rng=0)
    assert 10 <= len(capsys.readouterr().out.splitlines()) <= 22


def test_progress_bar_is_drawn_on_request(capsys):
    pytest.importorskip("tqdm")
    model, *rest = parts()
    threads = threading.active_count()
    fit(model, *rest, TRAIN, epochs=2, rng=0, progress="bar")
    assert threading.active_count() == threads
    out, err = capsys.readouterr()
    assert "2/2" in err
    assert not out


def test_history_finds_its_best_and_draws_itself(tmp_path):
    history = History({"loss": [3.0, 1.0, 2.0], "accuracy": [0.1, 0.3, math.nan]})
    assert history.best("loss") == (2, 1.0)
    assert history.best("accuracy") == (2, 0.3)
    assert history.last()["loss"] == 2.0
    with pytest.raises(KeyError, match="only loss, accuracy"):
        history.best("validation loss")
    history.add({"loss": 0.5, "new": 1.0})
    assert math.isnan(history["new"][0])
    assert math.isnan(history["accuracy"][3])
    pytest.importorskip("matplotlib")
    history.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5000


# --------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"epochs": 0}, ValueError, "epochs"),
        ({"epochs": 2.5}, TypeError, "epochs"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"accumulate": 0}, ValueError, "accumulate"),
        ({"clip_grad_norm": -1.0}, ValueError, "clip_grad_norm"),
        ({"l2": -1.0}, ValueError, "l2"),
        ({"metrics": "acc"}, ValueError, "choose from"),
        ({"scheduler": {"batch": None}}, ValueError, "'step' and 'epoch'"),
        ({"scheduler": 3}, TypeError, "scheduler"),
        ({"callbacks": [3]}, TypeError, "callback"),
        ({"resume": True}, ValueError, "checkpoint="),
        ({"progress": "often"}, ValueError, "progress"),
        ({"early_stopping": -1}, ValueError, "patience"),
        ({"loss": nn.CrossEntropyLoss}, TypeError, "CrossEntropyLoss\\(\\)"),
        ({"model": 3}, TypeError, "Module"),
        ({"optimizer": 3}, TypeError, "optimizer"),
        ({"train": X}, TypeError, "Dataset"),
        ({"train": (X,)}, ValueError, r"\(X, y\)"),
        ({"train": (X, Y[:5])}, ValueError, "5"),
        ({"train": iter([TRAIN])}, TypeError, "train is a list_iterator, which is exhausted after one epoch"),
        ({"validation": (batch for batch in [TRAIN])}, TypeError, "validation is a generator"),
        ({"train": (X[:0], Y[:0])}, ValueError, "empty|no rows|least"),
    ],
)
def test_wrong_arguments_raise_and_change_nothing(options, error, said):
    model, criterion, optimizer = parts()
    before = model.state_dict()
    given = {"model": model, "loss": criterion, "optimizer": optimizer, "train": TRAIN, **options}
    with pytest.raises(error, match=said):
        quiet(**given)
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())


def test_iterator_is_enough_for_one_epoch():
    model, *rest = parts()
    history = quiet(model, *rest, iter([TRAIN, VALIDATION]), epochs=1)
    assert history["loss"][0] > 0


def test_epoch_without_batches_is_an_error():
    class Once:
        batches = iter([TRAIN])

        def __iter__(self):
            yield from self.batches

    model, *rest = parts()
    with pytest.raises(ValueError, match="no batch in epoch 2"):
        quiet(model, *rest, Once(), epochs=3)


def test_optimizer_of_another_model_raises():
    model, criterion, _ = parts()
    with pytest.raises(ValueError, match="does not own this model's parameters"):
        quiet(model, criterion, parts()[2], TRAIN)


def test_checkpoint_of_other_parts_raises(tmp_path):
    run(tmp_path / "run.npz", epochs=1)
    model, *rest = parts()
    with pytest.raises(ValueError, match=r"run\.npz"):
        quiet(model, *rest, loader(), checkpoint=tmp_path / "run.npz", resume=True)


class Idle(nn.Module):
    """A model with a layer that its forward forgets."""

    def __init__(self):
        super().__init__()
        self.used = nn.Linear(2, 1, rng=0)
        self.forgotten = nn.Linear(2, 1, rng=1)

    def forward(self, x):
        return self.used(x)


XY = np.arange(8.0).reshape(4, 2) / 8, np.ones((4, 1))


def advice(model, parameters, epochs=2):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, nn.MSELoss(), optim.SGD(parameters, lr=0.01), XY, epochs=epochs, progress=False)
    return [w for w in caught if issubclass(w.category, autograd.GradientWarning)]


def test_parameter_without_gradient_warns_once():
    model = Idle()
    (said,) = advice(model, model.parameters())
    assert "2 of 4 parameters got no gradient in the first epoch (forgotten.weight, forgotten.bias)" in str(
        said.message
    )
    for p in model.forgotten.parameters():
        p.requires_grad = False
    assert not advice(model, model.parameters())


def test_backward_that_reaches_no_parameter_warns():
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1, rng=0)

        def forward(self, x):
            return autograd.Tensor(self.layer(x).numpy(), requires_grad=True)

    model = Cut()
    assert any("backward() reaches no parameter" in str(said.message) for said in advice(model, model.parameters()))


def test_optimizer_of_a_replaced_layer_warns_once():
    model = nn.MLP(2, [3, 1], rng=0)
    held = list(model.parameters())
    assert not advice(model, held)
    model.append(nn.Linear(1, 1, rng=1))
    assert "parameters got no gradient" not in "".join(str(w.message) for w in advice(model, model.parameters()))
    stale = [*held[:2], *(nn.Parameter(p.data) for p in held[2:])]
    (said,) = advice(model, stale)
    assert "holds 2 of 4 tensor(s) that the model does not have" in str(said.message)
