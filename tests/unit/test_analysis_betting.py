"""The bets, against brute force: every outcome of small intervals, with its probability."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.analysis.betting import NOT_WORSE, WORSE, Book, Margin, Wealth, best_stake, gain, played
from bluegreen.analysis.counts import Counts

MARGINS = (Margin(), Margin(0.5), Margin(0.5, 0.02), Margin(0, 0.1))
RATES = (0.0, 0.01, 0.1, 0.4, 0.9, 1.0)
SIZES = ((1, 1), (1, 6), (4, 3), (5, 0), (3, 1))


def binomial(requests: int, hits: int, rate: float) -> float:
    return float(math.comb(requests, hits) * rate**hits * (1 - rate) ** (requests - hits))


def outcomes(n_green: int, n_blue: int, green: float, blue: float) -> list[tuple[float, Counts]]:
    return [
        (binomial(n_green, x, green) * binomial(n_blue, y, blue), Counts(n_green, x, n_blue, y))
        for x in range(n_green + 1)
        for y in range(n_blue + 1)
    ]


def expected_money(book: Book, margin: Margin, size: tuple[int, int], green: float, blue: float, guess: float) -> float:
    seen = outcomes(*size, green, blue)
    return sum(chance * math.exp(played(Wealth(), book, each, margin, guess).log) for chance, each in seen)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("size", SIZES)
def test_betting_that_green_is_worse_gains_nothing_on_average_while_it_is_not(
    margin: Margin, size: tuple[int, int]
) -> None:
    for blue, green, guess in itertools.product(RATES, RATES, (0.001, 0.05, 0.5)):
        if green <= margin.limit(blue):
            assert expected_money(WORSE, margin, size, green, blue, guess) <= 1 + 1e-9


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("size", SIZES)
def test_betting_that_green_is_good_enough_gains_nothing_on_average_while_it_is_not(
    margin: Margin, size: tuple[int, int]
) -> None:
    for blue, green, guess in itertools.product(RATES, RATES, (0.001, 0.05, 0.5)):
        if green >= margin.limit(blue):
            assert expected_money(NOT_WORSE, margin, size, green, blue, guess) <= 1 + 1e-9


@pytest.mark.parametrize(("book", "green"), [(WORSE, 0.6), (NOT_WORSE, 0.1)])
def test_betting_on_the_truth_gains_on_average(book: Book, green: float) -> None:
    assert expected_money(book, Margin(1.0), (6, 12), green, 0.1, 0.1) > 1.02


@pytest.mark.parametrize("level", [0.5, 0.2, 0.05])
def test_the_chance_that_the_evidence_ever_reaches_its_level_is_at_most_the_level(level: float) -> None:
    """Every path of four looks, with splits and rates that change; exact, no sampling."""
    looks = [((2, 3), 0.5), ((3, 1), 0.1), ((1, 4), 0.8), ((2, 2), 0.3)]
    paths = [(1.0, Wealth(), Counts())]
    for size, rate in looks:
        paths = [
            (chance * likely, played(wealth, WORSE, seen, Margin(), (past.blue_hits + 0.5) / 10), past.plus(seen))
            for chance, wealth, past in paths
            for likely, seen in outcomes(*size, rate, rate)
        ]
    assert sum(chance for chance, _, _ in paths) == pytest.approx(1)
    assert sum(chance for chance, wealth, _ in paths if wealth.peak >= -math.log(level)) <= level


def test_without_an_absolute_margin_the_gain_is_the_likelihood_ratio_of_greens_share_of_the_errors() -> None:
    seen, margin, stake = Counts(40, 3, 160, 5), Margin(0.5), 1.2
    claimed = 1.5 * 40 / (1.5 * 40 + 160)
    ratio = binomial(
        8, 3, claimed * (1 + stake) / (claimed * (1 + stake) + (1 - claimed) * (1 - stake * 1.5 * 40 / 160))
    )
    assert gain(seen, margin, stake) == pytest.approx(math.log(ratio / binomial(8, 3, claimed)))


counts = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda n: Counts(100, n[0], 1900, n[1]))


@given(counts, counts, st.floats(-0.9, 5))
def test_intervals_of_one_split_may_be_merged_or_swapped(one: Counts, other: Counts, stake: float) -> None:
    margin = Margin(0.5)
    apart = gain(one, margin, stake) + gain(other, margin, stake)
    assert apart == pytest.approx(gain(one.plus(other), margin, stake))
    assert apart == pytest.approx(gain(other, margin, stake) + gain(one, margin, stake))


@given(counts, st.integers(1, 40), st.sampled_from(MARGINS), st.floats(1e-5, 0.5))
def test_one_more_error_on_green_never_weakens_the_evidence_against_it(
    seen: Counts, more: int, margin: Margin, blue: float
) -> None:
    worse = Counts(seen.green_requests, seen.green_hits + more, seen.blue_requests, seen.blue_hits)
    assert played(Wealth(), WORSE, worse, margin, blue).log >= played(Wealth(), WORSE, seen, margin, blue).log
    assert played(Wealth(), NOT_WORSE, worse, margin, blue).log <= played(Wealth(), NOT_WORSE, seen, margin, blue).log


@given(counts, st.integers(1, 40), st.floats(1e-5, 0.5))
def test_errors_on_blue_excuse_green(seen: Counts, more: int, blue: float) -> None:
    excused = Counts(seen.green_requests, seen.green_hits, seen.blue_requests, seen.blue_hits + more)
    assert played(Wealth(), WORSE, excused, Margin(), blue).log <= played(Wealth(), WORSE, seen, Margin(), blue).log


@given(
    st.integers(1, 1000),
    st.integers(1, 1000),
    st.floats(1e-4, 0.2),
    st.floats(1e-4, 0.5),
    st.sampled_from(MARGINS),
    st.floats(0.5, 1.5),
)
def test_the_best_stake_grows_fastest(
    n_green: int, n_blue: int, blue: float, green: float, margin: Margin, other: float
) -> None:
    seen = Counts(n_green, 0, n_blue, 0)
    best = best_stake(seen, margin, blue, green)

    def growth(stake: float) -> float:
        lost = 1 - stake * (1 + margin.relative) * n_green / n_blue
        if stake <= -1 or lost <= 0:
            return -math.inf
        hits = n_green * green * math.log1p(stake) + n_blue * blue * math.log(lost)
        return hits - stake * margin.absolute * n_green

    assert growth(best) >= growth(best * other) - 1e-6
    assert (best > 0) == (green > margin.limit(blue)) or abs(best) < 1e-9


def test_an_interval_without_requests_on_green_changes_nothing() -> None:
    wealth = played(Wealth(), WORSE, Counts(10, 2, 90, 1), Margin(), 0.01)
    assert played(wealth, WORSE, Counts(0, 0, 500, 4), Margin(), 0.01) == wealth


def test_without_requests_on_blue_only_the_absolute_margin_can_be_tested() -> None:
    alone = Counts(2000, 0, 0, 0)
    assert played(Wealth(), WORSE, Counts(2000, 900, 0, 0), Margin(), 0.01).log == 0
    assert played(Wealth(), NOT_WORSE, alone, Margin(0.5), 0.001).log == pytest.approx(0)
    assert played(Wealth(), NOT_WORSE, alone, Margin(0.5, 0.01), 0.001).log > 2


@given(st.lists(counts, min_size=1, max_size=8), st.sampled_from([WORSE, NOT_WORSE]))
def test_spreading_the_money_anew_makes_none(seen: list[Counts], book: Book) -> None:
    wealth = Wealth()
    for each in seen:
        wealth = played(wealth, book, each, Margin(0.5, 0.01), 0.01)
        assert sum(wealth.shares) == pytest.approx(1)
        assert min(wealth.shares) > 0


@pytest.mark.parametrize("requests", [(10**9, 1), (1, 10**9), (10**9, 0), (10**9, 10**9)])
@pytest.mark.parametrize("margin", MARGINS)
def test_no_bet_can_lose_all_its_money(requests: tuple[int, int], margin: Margin) -> None:
    for book, rate in itertools.product((WORSE, NOT_WORSE), (1e-9, 0.01, 1.0)):
        for hits in ((0, 0), (requests[0], 0), (0, requests[1])):
            found = played(Wealth(), book, Counts(requests[0], hits[0], requests[1], hits[1]), margin, rate)
            assert math.isfinite(found.log)


def test_evidence_of_one_interval_is_bounded_where_that_is_asked() -> None:
    disaster = Counts(1000, 1000, 1000, 0)
    assert played(Wealth(), WORSE, disaster, Margin(), 0.01).log > 100
    assert played(Wealth(), WORSE, disaster, Margin(), 0.01, most=2.0).log == 2.0


def test_a_bettor_that_lost_for_long_recovers_when_green_turns_bad() -> None:
    wealth, late = Wealth(), 0
    for _ in range(500):
        wealth = played(wealth, WORSE, Counts(50, 0, 950, 10), Margin(), 0.01)
    while wealth.peak < math.log(100):
        wealth, late = played(wealth, WORSE, Counts(50, 5, 950, 10), Margin(), 0.01), late + 1
    assert late <= 5


@pytest.mark.parametrize(("relative", "absolute"), [(-0.1, 0), (0, -0.1), (0, 1), (math.nan, 0)])
def test_an_impossible_margin_is_refused(relative: float, absolute: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        Margin(relative, absolute)
