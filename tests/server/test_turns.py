"""Networks take turns."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from config.server.turns import Turns


@given(st.lists(st.sampled_from("abcd"), max_size=60))
def test_turns__of_any_arrivals__are_in_order_within_a_network_and_fair_between_them(arrivals):
    turns: Turns[tuple[str, int]] = Turns()
    for number, network in enumerate(arrivals):
        turns.put(network, (network, number))
    turns.close()

    served = []
    while item := turns.get():
        served.append(item)

    left, own = defaultdict(int), defaultdict(list)
    for network in arrivals:
        left[network] += 1
    assert sorted(number for _, number in served) == list(range(len(arrivals)))
    for network, number in served:
        own[network].append(number)
    assert all(numbers == sorted(numbers) for numbers in own.values())
    for network, run in groupby(network for network, _ in served):
        length = len(list(run))
        left[network] -= length
        others = sum(count for other, count in left.items() if other != network)
        assert length == 1 or others == 0  # nobody is served twice in a row while others wait


def test_turns__closed__let_those_go_who_wait_for_one():
    turns: Turns[int] = Turns()
    got: list[int | None] = []
    waiting = [Thread(target=lambda: got.append(turns.get())) for _ in range(3)]
    for thread in waiting:
        thread.start()

    turns.put("a", 1)
    turns.close()
    for thread in waiting:
        thread.join(5)

    assert sorted(got, key=str) == [1, None, None]
