import warnings

import pytest
import torch

from pushforward.core import to_float
from pushforward.data import Dataset, Stream
from pushforward.errors import UserError


def numbered(n, labels=True):
    """n images, the i-th of which is filled with i."""
    images = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 8, 8).contiguous()
    return Dataset.of(images, torch.arange(n) % 3 if labels else None)


def stream(n=10, **options):
    return Stream({"data": numbered(n)}, **{"batch_size": 4, "seed": 3, **options})


@pytest.mark.parametrize(("n", "batch_size"), [(10, 4), (4, 10), (1, 5), (7, 7), (3, 100)])
def test_every_epoch_shows_every_row_once(n, batch_size):
    draw = stream(n, batch_size=batch_size)
    epochs = 4
    rows = torch.cat([draw().index for _ in range(-(-epochs * n // batch_size))])[: epochs * n].view(
        epochs, n
    )
    assert (rows.sort(dim=1).values == torch.arange(n)).all()


def test_epochs_are_shuffled_differently():
    rows = stream(50, batch_size=50)
    first, second = rows().index, rows().index
    assert not torch.equal(first, second)
    assert not torch.equal(first, torch.arange(50))


def test_a_batch_holds_the_images_and_labels_of_its_rows():
    batch = stream()()
    assert torch.equal(batch.x, to_float(batch.index.view(-1, 1, 1, 1).expand(-1, 1, 8, 8)))
    assert torch.equal(batch.label, batch.index % 3)
    assert batch.x.dtype == torch.float32
    assert Stream({"data": numbered(4, labels=False)}, batch_size=2, seed=0)().label is None


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("n", [3, 10, 16])
def test_the_processes_together_draw_what_one_draws(world, n):
    one = stream(n, batch_size=8)
    many = [stream(n, batch_size=8, rank=rank, world=world) for rank in range(world)]
    for _ in range(5):
        assert torch.equal(torch.cat([draw().index for draw in many]), one().index)
    assert {draw.images for draw in many} == {one.images} == {40}


def test_resume_is_exact_from_the_position_alone():
    draw = stream()
    for _ in range(5):
        draw()
    state, expected = draw.state(), [draw().index for _ in range(7)]
    assert state == {"data": 20}
    resumed = stream()
    resumed.restore(state)
    assert all(torch.equal(resumed().index, rows) for rows in expected)


def test_names_have_positions_and_orders_of_their_own():
    draw = Stream({"a": numbered(30), "b": numbered(30)}, batch_size=30, seed=0)
    a, b = draw("a", 20), draw("b", 30)
    assert not torch.equal(a.index, b.index[:20])
    assert draw.state() == {"a": 20, "b": 30}
    assert draw.images == 50
    other = Stream({"b": numbered(30)}, batch_size=30, seed=0)
    assert torch.equal(other("b").index, b.index)


def test_the_seed_decides():
    assert torch.equal(stream(30, batch_size=30)().index, stream(30, batch_size=30)().index)
    assert not torch.equal(stream(30, batch_size=30)().index, stream(30, batch_size=30, seed=4)().index)


def test_the_share_may_change_between_draws():
    draw, plain = stream(world=2, rank=1, batch_size=4), stream(world=1, batch_size=1)
    rows = torch.cat([plain().index for _ in range(12)])
    assert torch.equal(draw().index, rows[2:4])
    assert torch.equal(draw(n=3).index, rows[4 + 3 : 10])
    assert torch.equal(draw(n=1).index, rows[11:12])


@pytest.mark.parametrize("position", [0, 3, 9, 10, 25])
@pytest.mark.parametrize("n", [1, 4, 23])
def test_rows_of_names_a_past_draw_without_moving(position, n):
    draw, plain = stream(), stream(batch_size=1)
    rows = torch.cat([plain().index for _ in range(60)])
    assert torch.equal(draw.rows_of("data", position, n), rows[position : position + n])
    assert draw.images == 0


def test_the_global_random_streams_stay_untouched():
    before = torch.random.get_rng_state()
    draw = stream()
    for _ in range(10):
        draw()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_data_are_not_copied_nor_changed():
    data = numbered(6)
    draw = Stream({"data": data}, batch_size=6, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw().x.zero_()
    assert torch.equal(data.x, numbered(6).x)


@pytest.mark.parametrize(("batch_size", "world"), [(5, 2), (0, 1), (-4, 2), (1, 3)])
def test_a_batch_that_the_processes_cannot_share_is_refused(batch_size, world):
    with pytest.raises(UserError, match=f"`batch_size` {batch_size}"):
        stream(batch_size=batch_size, world=world)


def test_mistakes_name_what_there_is():
    with pytest.raises(UserError, match=r"'b'.*\['data'\]"):
        stream()("b")
    with pytest.raises(UserError, match="resume"):
        stream().restore({"a": 3})
    with pytest.raises(UserError, match="no images"):
        Stream({"data": numbered(3).subset([])}, batch_size=1, seed=0)


def counts(draw, n):
    return torch.bincount(draw(n=n).index, minlength=n)


def test_equal_weights_show_every_row_once_an_epoch():
    draw = stream(50, weights={"data": torch.full((50,), 0.3)})
    first, second = draw(n=50).index, draw(n=50).index
    assert torch.equal(first.sort().values, torch.arange(50))
    assert torch.equal(second.sort().values, torch.arange(50))
    assert not torch.equal(first, second)


def test_a_weighted_epoch_has_each_row_as_often_as_its_weight_says_rounded_up_or_down():
    w = torch.rand(40, generator=torch.Generator().manual_seed(1)) ** 4
    w[[0, 7, 39]] = 0
    expected = 40 * w.double() / w.double().sum()
    draw = stream(40, weights={"data": w})
    seen = torch.stack([counts(draw, 40) for _ in range(400)])
    assert ((seen == expected.floor()) | (seen == expected.ceil())).all()
    # The mean over epochs is unbiased: each count is a floor plus a Bernoulli draw.
    sd = (expected.frac() * (1 - expected.frac()) / 400).sqrt()
    assert ((seen.double().mean(0) - expected).abs() <= 4.5 * sd + 1e-12).all()


def test_a_weighted_epoch_is_shuffled():
    draw = stream(100, weights={"data": torch.arange(100.0)})
    rows = draw(n=100).index.double()
    assert torch.corrcoef(torch.stack([rows, torch.arange(100.0).double()]))[0, 1].abs() < 0.4


def test_one_heavy_row_is_all_that_is_drawn():
    w = torch.zeros(10)
    w[4] = 1e-30
    assert (stream(weights={"data": w})(n=30).index == 4).all()


def test_a_weighted_stream_resumes_from_its_position_and_tells_its_rows():
    weights = {"data": torch.arange(10.0) + 0.5}
    draw = stream(weights=weights)
    for _ in range(5):
        draw()
    state, expected = draw.state(), [draw().index for _ in range(7)]
    again = stream(weights=weights)
    again.restore(state)
    assert torch.equal(again.rows_of("data", 20, 4), expected[0])
    assert all(torch.equal(again().index, rows) for rows in expected)
    many = [stream(weights=weights, rank=r, world=2) for r in range(2)]
    assert torch.equal(torch.cat([m().index for m in many]), stream(weights=weights)().index)


@pytest.mark.parametrize("w", [[1.0] * 9, [1.0] * 9 + [-0.1], [0.0] * 10, [1.0] * 9 + [float("nan")]])
def test_weights_that_cannot_be_are_refused(w):
    with pytest.raises(UserError, match=r"weights: of 'data'.*expected 10 finite numbers of at least 0"):
        stream(weights={"data": torch.tensor(w)})


def test_a_new_epoch_on_a_gpu_is_queued_from_pinned_memory(monkeypatch):
    """A copy from other memory would wait for all that the GPU still has to do."""
    sent = []

    def to(tensor, device, **how):
        sent.append((device, how, pinned[-1] is tensor))
        return tensor

    pinned = []
    draw = stream(n=10, batch_size=4)
    draw._device = torch.device("cuda")
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    monkeypatch.setattr(torch.Tensor, "to", to)
    monkeypatch.setattr("pushforward.data.stream.to_float", lambda x: x)
    for _ in range(5):  # two epochs
        draw()
    assert sent == [(torch.device("cuda"), {"non_blocking": True}, True)] * 2
