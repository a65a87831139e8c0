"""Sets of rows and the loader: what is dealt, in which order, and how it is taken up again."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

import nn.random
from autograd import Tensor
from nn.data import DataLoader, Dataset, RandomSampler, Subset, TensorDataset, WeightedRandomSampler


def rows_of(loader):
    return [x.tolist() for (x,) in loader]


def counting(n):
    return TensorDataset(np.arange(n))


class Lettered(Dataset):
    """A set that knows one sample at a time."""

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return np.full(3, i, np.float32), i


# --------------------------------------------------------------------------------------------------- sets


def test_arrays_are_shared_and_batches_are_copies():
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6)
    data = TensorDataset(X, y)
    assert np.shares_memory(data.arrays[0], X)
    for x, t in DataLoader(data, batch_size=6):
        x += 100
        t += 100
    assert X.max() == 11
    assert y.max() == 5


@pytest.mark.parametrize("make", [np.asfortranarray, lambda a: a[::-1], lambda a: a.astype(">f8"), lambda a: a])
def test_any_layout_gives_the_same_rows(make):
    X = make(np.arange(24.0).reshape(6, 4))
    (got,) = TensorDataset(X).batch(np.array([5, 0, 5]))
    assert (got == X[[5, 0, 5]]).all()
    assert got.dtype == X.dtype
    assert not np.shares_memory(got, X)


def test_tensors_and_lists_become_arrays():
    data = TensorDataset(Tensor([[1.0], [2.0]]), [3, 4])
    x, y = next(iter(DataLoader(data, batch_size=2)))
    assert type(x) is np.ndarray
    assert (x.tolist(), y.tolist()) == ([[1.0], [2.0]], [3, 4])


def test_lengths_that_differ_are_both_named():
    with pytest.raises(ValueError, match="array 0 has 3 rows, array 1 has 2 rows"):
        TensorDataset(np.zeros((3, 1)), np.zeros(2))


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ((), ValueError, "at least one"),
        ((3.0,), ValueError, "a scalar"),
        (([[1.0], [1.0, 2.0]],), ValueError, "ragged"),
        ((["cat", "dog"],), TypeError, "class indices"),
        ((np.array([None, 1]),), TypeError, "object"),
    ],
)
def test_tensor_dataset_of_invalid_data_raises(data, error, words):
    with pytest.raises(error, match=words):
        TensorDataset(*data)


def test_samples_of_a_dataset_are_stacked():
    x, y = next(iter(DataLoader(Lettered(), batch_size=3)))
    assert x.dtype == np.float32
    assert (x[:, 0].tolist(), y.tolist()) == ([0, 1, 2], [0, 1, 2])
    assert [len(batch) for batch in DataLoader(np.arange(5), batch_size=2)] == [1, 1, 1]


def test_dataset_without_methods_raises():
    with pytest.raises(NotImplementedError, match="__len__"):
        len(Dataset())
    with pytest.raises(NotImplementedError, match="__getitem__"):
        Dataset()[0]


def test_subset_of_a_subset_reaches_the_right_rows():
    inner = Subset(Subset(counting(10), [9, 7, 5, 3]), [3, 0])
    assert inner[:][0].tolist() == [3, 9]
    assert inner[1] == (9,)
    assert rows_of(DataLoader(inner, batch_size=2)) == [[3, 9]]
    assert len(Subset(Lettered(), [1, 2])[:][0]) == 2


@pytest.mark.parametrize(
    ("rows", "error"), [([0, 5], IndexError), ([-1], IndexError), ([0.5], TypeError), ([[0]], TypeError)]
)
def test_rows_out_of_range_raise(rows, error):
    with pytest.raises(error):
        Subset(counting(5), rows)


# ------------------------------------------------------------------------------------------------- loader


@given(n=st.integers(1, 40), size=st.integers(1, 50), drop=st.booleans(), shuffle=st.booleans())
def test_every_row_is_returned_once_per_epoch(n, size, drop, shuffle):
    if drop and size > n:
        with pytest.raises(ValueError, match="no batch"):
            DataLoader(counting(n), size, shuffle, drop, rng=0)
        return
    loader = DataLoader(counting(n), size, shuffle, drop, rng=0)
    batches = rows_of(loader)
    dealt = [row for batch in batches for row in batch]
    assert len(batches) == len(loader)
    assert len(set(dealt)) == len(dealt) == (n - n % size if drop else n)
    assert all(len(batch) == size for batch in batches[:-1])
    assert shuffle or dealt == list(range(len(dealt)))


def test_batch_size_alone_makes_batch_stochastic_and_mini_batch_descent():
    assert [len(DataLoader(counting(10), b)) for b in (10, 1, 4)] == [1, 10, 3]


def test_each_epoch_has_an_order_of_its_own_and_a_seed_repeats_them():
    first, second = (DataLoader(counting(20), 20, shuffle=True, rng=3) for _ in range(2))
    epochs = [rows_of(first) for _ in range(3)]
    assert epochs == [rows_of(second) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert first.epoch == 3


def test_order_of_a_seed_is_the_same_everywhere():
    loader = DataLoader(counting(8), 8, shuffle=True, rng=2024)
    assert rows_of(loader) + rows_of(loader) == [[5, 2, 7, 3, 1, 0, 6, 4], [0, 2, 3, 4, 6, 7, 1, 5]]


def test_without_a_generator_the_one_of_manual_seed_is_used():
    orders = []
    for _ in range(2):
        nn.random.manual_seed(5)
        orders.append(rows_of(DataLoader(counting(30), 30, shuffle=True)))
    assert orders[0] == orders[1]


def test_one_number_is_drawn_per_epoch_and_only_then():
    rng, twin = np.random.default_rng(0), np.random.default_rng(0)
    loader = DataLoader(counting(100), 7, shuffle=True, rng=rng)
    rows_of(loader)
    twin.integers(2**63)
    assert rng.bit_generator.state == twin.bit_generator.state


@pytest.mark.parametrize(
    ("size", "error"), [(0, ValueError), (-1, ValueError), (2.5, TypeError), ("3", TypeError), (True, TypeError)]
)
def test_batch_size_that_is_not_positive_integer_raises(size, error):
    with pytest.raises(error, match=f"batch_size.*{str(size).replace('.', '[.]')}"):
        DataLoader(counting(3), batch_size=size)


def test_empty_set_raises():
    with pytest.raises(ValueError, match="empty"):
        DataLoader(TensorDataset(np.zeros((0, 3))))


@pytest.mark.parametrize("data", [(np.zeros(3), np.zeros(3)), [1, 2], 5, None])
def test_loader_of_arrays_raises_with_a_hint(data):
    with pytest.raises(TypeError, match="TensorDataset"):
        DataLoader(data)


@pytest.mark.parametrize("rng", [True, "seed", 1.5])
def test_generator_is_restored_in_place(rng):
    with pytest.raises(TypeError, match="rng"):
        DataLoader(counting(3), rng=rng)


# ----------------------------------------------------------------------------------------------- samplers


def test_sampler_determines_the_rows():
    assert rows_of(DataLoader(counting(5), 2, sampler=[4, 4, 0])) == [[4, 4], [0]]
    with pytest.raises(ValueError, match="not both"):
        DataLoader(counting(5), shuffle=True, sampler=[0])
    with pytest.raises(IndexError, match="row 5"):
        DataLoader(counting(5), sampler=[5])


class Short(RandomSampler):
    def __call__(self, rng):
        return super().__call__(rng)[1:]


def test_sampler_of_wrong_length_raises():
    with pytest.raises(IndexError, match="not in a set of 5"):
        list(DataLoader(counting(5), 5, sampler=RandomSampler(6), rng=0))
    with pytest.raises(ValueError, match="has length 5, but returned 4 rows"):
        list(DataLoader(counting(5), 5, sampler=Short(5), rng=0))
    with pytest.raises(TypeError, match="__len__"):
        DataLoader(counting(5), sampler=lambda rng: [0])


def test_rows_are_drawn_by_weight():
    weights = np.array([0.0, 1.0, 3.0])
    rows = WeightedRandomSampler(weights, 40_000)(np.random.default_rng(0))
    shares = np.bincount(rows, minlength=3) / 40_000
    assert shares[0] == 0
    assert np.abs(shares - weights / 4).max() < 0.01


def test_classes_are_balanced():
    labels = np.repeat([7, 2], [990, 10])
    loader = DataLoader(TensorDataset(labels), 1000, sampler=WeightedRandomSampler.balanced(labels), rng=0)
    ((got,),) = loader
    assert 400 < (got == 2).sum() < 600


def test_without_replacement_no_row_comes_twice():
    sampler = WeightedRandomSampler([1.0, 2.0, 0.0, 5.0], 3, replacement=False)
    assert all(sorted(sampler(np.random.default_rng(seed))) == [0, 1, 3] for seed in range(20))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0, -1.0],), "row 1 is -1"),
        (([1.0, np.nan],), "row 1 is nan"),
        (([0.0, 0.0],), "all weights are 0"),
        (([],), r"must have shape \(n,\)"),
        (([[1.0]],), r"must have shape \(n,\)"),
        (([1.0, 0.0], 2, False), "without replacement"),
        (([1.0], 0), "num_samples must be at least 1"),
    ],
)
def test_weights_that_cannot_be_drawn_by_raise(arguments, words):
    with pytest.raises(ValueError, match=words):
        WeightedRandomSampler(*arguments)


def test_huge_weights_do_not_overflow():
    assert WeightedRandomSampler([1e308, 1e308, 0]).p.tolist() == [0.5, 0.5, 0]


# ----------------------------------------------------------------------------------------------- resuming

LOADERS = {
    "shuffled": lambda rng: DataLoader(counting(23), 4, shuffle=True, rng=rng),
    "in order": lambda rng: DataLoader(counting(23), 4, rng=rng),
    "weighted": lambda rng: DataLoader(counting(23), 4, sampler=WeightedRandomSampler(np.arange(23)), rng=rng),
    "short batches dropped": lambda rng: DataLoader(counting(23), 4, True, True, rng=rng),
}


def three_epochs(loader):
    for _ in range(loader.epoch, 3):
        for (x,) in loader:
            yield x.tolist()


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize("stop", [0, 1, 5, 6, 7, 13, 17])
def test_loader_resumes_in_the_middle_of_an_epoch(make, stop):
    whole = list(three_epochs(make(1)))
    loader = make(1)
    dealing = three_epochs(loader)
    begun = [next(dealing) for _ in range(min(stop, len(whole)))]
    state = json.loads(json.dumps(loader.state_dict()))
    resumed = make(2)
    resumed.load_state_dict(state)
    assert begun + list(three_epochs(resumed)) == whole
    assert resumed.epoch == 3
    assert resumed.state_dict()["rng"] == state["rng"] or len(begun) < len(whole)


def test_state_between_epochs_resumes_with_a_full_epoch():
    loader, other = (LOADERS["shuffled"](seed) for seed in (1, 2))
    rows_of(loader)
    other.load_state_dict(loader.state_dict())
    assert (other.epoch, other.position) == (1, 0)
    assert rows_of(other) == rows_of(loader)
    fresh = LOADERS["shuffled"](3)
    fresh.load_state_dict(LOADERS["shuffled"](1).state_dict())
    assert rows_of(fresh) == rows_of(LOADERS["shuffled"](1))


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_any_generator_is_resumed(kind):
    loaders = [DataLoader(counting(50), 50, shuffle=True, rng=np.random.Generator(kind(s))) for s in (1, 2)]
    loaders[1].load_state_dict(copy.deepcopy(loaders[0].state_dict()))
    assert rows_of(loaders[0]) == rows_of(loaders[1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": 24}, "rows 24, but this loader has 23"),
        ({"batch_size": 5}, "batch_size 5"),
        ({"position": 7}, "beyond the 6 batches"),
        ({"position": -1}, "position"),
        ({"epoch": "1"}, "epoch"),
        ({"rng": {"bit_generator": "MT19937"}}, "generator"),
        ({"more": 1}, "not the state of a DataLoader"),
    ],
)
def test_state_that_does_not_match_raises_and_changes_nothing(change, words):
    loader = LOADERS["shuffled"](0)
    next(iter(loader))
    before = copy.deepcopy(loader.state_dict())
    with pytest.raises((ValueError, TypeError), match=words):
        loader.load_state_dict({**LOADERS["shuffled"](1).state_dict(), **change})
    assert loader.state_dict() == before
    with pytest.raises(ValueError, match="not the state"):
        loader.load_state_dict("state")


def test_abandoned_epoch_is_followed_by_a_new_one():
    loader = LOADERS["shuffled"](0)
    next(iter(loader))
    assert loader.position == 1
    assert sorted(row for batch in rows_of(loader) for row in batch) == list(range(23))


def test_repr_describes_the_data():
    assert repr(DataLoader(TensorDataset(np.zeros((5, 2))), 2)) == (
        "DataLoader(TensorDataset(float64 (5, 2)), batch_size=2, 3 batches)"
    )
    assert "2 of 5 rows" in repr(Subset(counting(5), [0, 1]))
