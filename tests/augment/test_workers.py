"""Work is done once, in order, by the threads that were asked for."""

import os
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.augment.workers import Workers


@given(threads=st.integers(0, 3), count=st.integers(0, 40))
def test_results_are_in_order(threads, count):
    assert Workers(threads).map(lambda number: number**2, count) == [number**2 for number in range(count)]


def test_few_threads_are_the_caller():
    assert set(Workers(1).map(lambda number: threading.current_thread(), 5)) == {threading.current_thread()}
    assert threading.current_thread() not in Workers(2).map(lambda number: threading.current_thread(), 5)


def test_an_error_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        Workers(2).map(lambda number: 1 // (number - 3), 5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_nice_workers_give_way_and_leave_the_caller_alone():
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    theirs = Workers(2, niceness=3).map(lambda number: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), 4)
    assert set(theirs) == {3}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine
