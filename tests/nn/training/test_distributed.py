"""The pieces of distributed training that need no other process."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

import autograd
import nn
import optim
from nn.data import DataLoader, Dataset, Subset, TensorDataset
from nn.data.distributed import OwnBatches, Shard, check_shard, data_facts, own_shard, piece, sharded
from nn.ranks import batch_statistics, draw_rows, shared
from nn.training import evaluate, fit
from nn.training.distributed import unwrapped
from optim.distributed import Alone, DistributedOptimizer

X = np.random.default_rng(0).normal(size=(23, 3))
Y = (X[:, 0] > 0).astype(int)


def rank(number, size):
    """A communicator that hears rank 0's own words only."""
    return SimpleNamespace(rank=number, size=size, bcast=lambda thing, root=0: thing)


def test_shared_in_one_thread_does_not_affect_another():
    found = []
    with shared(half(0)):
        thread = threading.Thread(target=lambda: found.append(batch_statistics(X)[0]))
        thread.start()
        thread.join()
        assert batch_statistics(X)[0] is not None
    assert found == [None]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 30])
@pytest.mark.parametrize("count", [0, 1, 6, 23])
def test_pieces_are_in_order_without_gaps_and_of_nearly_one_length(count, size):
    rows = [np.arange(count)[piece(count, r, size)] for r in range(size)]
    assert np.concatenate(rows).tolist() == list(range(count))
    lengths = [len(part) for part in rows]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_of_all_ranks_together_are_those_of_one_process(size, shuffle):
    def loader():
        return DataLoader(TensorDataset(X, Y), 5, shuffle=shuffle, rng=3)

    whole = list(loader())
    parts = [list(sharded(loader(), rank(r, size))) for r in range(size)]
    assert all(len(part) == len(whole) for part in parts)
    for i, (x, y) in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[i][0] for part in parts]), x)
        np.testing.assert_array_equal(np.concatenate([part[i][1] for part in parts]), y)


def test_sharded_loader_resumes_from_the_state_of_a_whole_one():
    one, other = (DataLoader(TensorDataset(X, Y), 5, shuffle=True, rng=s) for s in (1, 2))
    dealt = iter(one)
    next(dealt), next(dealt)
    own = sharded(other, rank(0, 2))
    own.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(next(iter(own))[0], next(dealt)[0][:3])
    assert sharded(own, rank(0, 2)) is own
    assert sharded(one, Alone()) is one


def test_only_own_rows_are_read():
    class Touched(Dataset):
        def __init__(self):
            self.rows = []

        def __len__(self):
            return 12

        def __getitem__(self, index):
            self.rows.append(int(index))
            return np.array([float(index)]), 0.0

    data = Touched()
    for _ in sharded(DataLoader(data, 4), rank(1, 2)):
        pass
    assert data.rows == [2, 3, 6, 7, 10, 11]
    assert "rank=1, size=2" in repr(Shard(data, 1, 2))
    assert Shard(data, 1, 2)[5][0] == 5.0


def test_exhausted_rank_yields_empty_batches():
    more = iter([2, 2, 1, 1, 0])
    comm = SimpleNamespace(rank=1, size=2, allreduce=lambda has: next(more), allgather=lambda n: [4, n])
    own = OwnBatches(iter([(X[:4], Y[:4]), (X[4:6], Y[4:6])]), comm)
    assert len(own) == 4
    batches = list(own)
    assert [len(y) for _, y in batches] == [4, 2, 0, 0]
    assert batches[-1][0].shape == (0, 3)
    with pytest.raises(ValueError, match="rank 1 has no batch, but others have"):
        list(OwnBatches(iter([]), SimpleNamespace(rank=1, size=2, allreduce=lambda has: 1, allgather=lambda n: [n])))


def test_shard_of_another_rank_raises(tmp_path):
    np.save(tmp_path / "x.npy", X)
    loader = DataLoader(nn.data.MappedDataset(tmp_path / "x.npy", shard=(1, 2)), 4)
    assert own_shard(loader)
    assert sharded(loader, rank(1, 2)) is loader
    check_shard(loader, rank(1, 2))
    with pytest.raises(ValueError, match=r"rank 0 of 2 got shard \(1, 2\); pass shard=\(comm.rank, comm.size\)"):
        check_shard(loader, rank(0, 2))
    assert not any("checksum" in name for name, _ in data_facts(loader, "training"))
    part = DataLoader(Subset(loader.dataset, [3, 1, 2]), 2)
    assert own_shard(part)
    assert sharded(part, rank(1, 2)) is part
    assert not own_shard(DataLoader(Subset(TensorDataset(X), [1]), 1))


def test_every_value_of_a_small_data_set_is_compared():
    facts = dict(data_facts(DataLoader(TensorDataset(X, Y), 5), "training"))
    assert facts["the number of rows of the training data"] == 23
    for row in (0, 11, 22):
        changed = X.copy()
        changed[row, 1] = np.nextafter(changed[row, 1], 9)
        other = dict(data_facts(DataLoader(TensorDataset(changed, Y), 5), "training"))
        assert [name for name in facts if facts[name] != other[name]] == [
            f"rows {row} to {row} of array 0 of the training data (a checksum)"
        ]
    assert len(data_facts(iter([]), "training")) == 1


def test_of_a_large_data_set_rows_are_sampled():
    rows = np.lib.stride_tricks.as_strided(np.zeros(1), (30_000_000, 1), (0, 0))
    facts = data_facts(DataLoader(TensorDataset(rows), 1000), "training")
    assert len(facts) < 300


def test_statistics_and_draws_of_one_process_are_those_of_its_rows():
    for comm in (None, Alone()):
        with shared(comm):
            assert batch_statistics(X)[:2] == (None, None)
            drawn = draw_rows(np.random.default_rng(0).random, (3, 2))
        assert drawn.tolist() == np.random.default_rng(0).random((3, 2)).tolist()


def half(rank):
    """A communicator of two ranks whose other rank has the same rows, so that sums are twice one rank's."""

    def allreduce(send, total):
        np.multiply(send, 2, out=total)

    return SimpleNamespace(rank=rank, size=2, Allreduce=allreduce, allgather=lambda n: [n, n])


def test_shared_statistics_are_those_of_the_rows_of_all_ranks():
    for x in (X, X[:20].reshape(5, 3, 4)):
        layer, whole = nn.BatchNorm1d(x.shape[1]), nn.BatchNorm1d(x.shape[1])
        inputs, twice = autograd.Tensor(x, requires_grad=True), autograd.Tensor(np.r_[x, x], requires_grad=True)
        with shared(half(0)):
            y = layer(inputs)
        expected = whole(twice)
        np.testing.assert_allclose(y.data, expected.data[: len(x)], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(layer.running_mean, whole.running_mean, rtol=1e-12)
        np.testing.assert_allclose(layer.running_var, whole.running_var, rtol=1e-12)
        weight = np.random.default_rng(1).normal(size=x.shape)
        (y * weight).sum().backward()
        (expected * np.r_[weight, weight]).sum().backward()
        np.testing.assert_allclose(inputs.grad, twice.grad[: len(x)], rtol=1e-9, atol=1e-12)
    with shared(half(0)):
        assert nn.BatchNorm1d(3)(X[:1]).shape == (1, 3)
    with (
        shared(SimpleNamespace(rank=0, size=2, Allreduce=Alone().Allreduce)),
        pytest.raises(ValueError, match=r"have 1$"),
    ):
        nn.BatchNorm1d(3)(X[:1])


def test_each_rank_draws_for_all_and_keeps_its_rows():
    drawn = []
    for rank in (0, 1):
        with shared(half(rank)):
            drawn.append(nn.Dropout(0.5, rng=0)(np.ones((4, 3))))
    np.testing.assert_array_equal(np.concatenate(drawn), nn.Dropout(0.5, rng=0)(np.ones((8, 3))))


def test_sharing_ends_with_its_block_also_after_an_error():
    def failing():
        with shared(half(0)):
            assert batch_statistics(X)[0] is not None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert batch_statistics(X)[0] is None


@pytest.mark.parametrize("wrapped", [False, True])
def test_with_one_rank_fit_is_plain_to_the_bit(wrapped, tmp_path):
    ends = []
    for distributed in (False, True):
        model = nn.Sequential(nn.Linear(3, 8, rng=0), nn.BatchNorm1d(8), nn.Dropout(0.5, rng=1), nn.Linear(8, 2, rng=0))
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        comm = Alone() if distributed and not wrapped else None
        if distributed and wrapped:
            optimizer = DistributedOptimizer(optimizer, Alone())
        history = fit(
            model, nn.CrossEntropyLoss(), optimizer, (X, Y), epochs=3, batch_size=8, rng=0, comm=comm, progress=False,
            clip_grad_norm=0.1, checkpoint=tmp_path / f"{distributed}.npz",
        )  # fmt: skip
        ends.append((history["loss"], [p.data.tobytes() for p in model.parameters()]))
        assert evaluate(model, nn.CrossEntropyLoss(), (X, Y), comm=comm) == evaluate(
            model, nn.CrossEntropyLoss(), (X, Y)
        )
    assert ends[0] == ends[1]


def test_fit_with_invalid_communicator_raises():
    model = nn.MLP(3, [2], rng=0)
    with pytest.raises(TypeError, match="comm must be a communicator"):
        fit(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters()), (X, Y), comm=2)
    optimizer = optim.SGD(model.parameters())
    alone = Alone()
    assert unwrapped(DistributedOptimizer(optimizer, alone), None) == (optimizer, alone)
