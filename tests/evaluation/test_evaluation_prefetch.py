import threading

import pytest

from vernier.evaluation.prefetch import computed_ahead


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_come_in_the_order_of_the_parts(threads):
    parts = [[1, 2], [], [3], [4, 5, 6], []]
    assert list(computed_ahead(parts, lambda item: item * item, threads)) == [[1, 4], [9], [16, 25, 36]]


@pytest.mark.parametrize("threads", [0, 2])
def test_an_empty_part_gives_what_is_in_work_before_more_is_asked_for(threads):
    asked = []

    def parts():
        for number in (1, 2):
            yield [number]
            yield []
            asked.append(number)

    results = computed_ahead(parts(), lambda item: item, threads)
    assert next(results) == [1]
    assert asked == []
    assert list(results) == [[2]]


def test_no_more_than_two_parts_are_taken_ahead():
    taken = []

    def parts():
        for number in range(100):
            taken.append(number)
            yield [number]

    results = computed_ahead(parts(), lambda item: item, 2)
    for number in range(5):
        assert next(results) == [number]
        assert len(taken) == number + 3
    results.close()


def test_threads_end_when_it_is_closed():
    results = computed_ahead([[number] for number in range(50)], lambda item: item, 2)
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vernier-ahead")]
