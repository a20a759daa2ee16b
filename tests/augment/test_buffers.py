"""Memory is used again once nobody holds it, and not before."""

import threading

import numpy as np
import torch

from vernier.augment.buffers import Recycler, Scratch


def test_memory_that_was_left_is_taken_again():
    recycler = Recycler()
    first = recycler.take((3, 4))
    address = first.data_ptr()
    del first
    assert recycler.take((2, 5)).data_ptr() == address


def test_memory_that_is_held_is_not_taken():
    recycler = Recycler()
    first = recycler.take((3, 4))
    part = first.permute(1, 0)[1:].fill_(7)
    array = first[:2].numpy()
    del first
    second = recycler.take((3, 4))
    assert second.data_ptr() != part.data_ptr()
    second.zero_()
    del part
    assert recycler.take((3, 4)).zero_().sum() == 0
    assert (array[:, 1:] == 7).all()


def test_a_graph_holds_what_it_saved():
    recycler = Recycler()
    weight = torch.ones(3, requires_grad=True)
    batch = recycler.take((3,)).fill_(2)
    loss = (weight * batch).sum()
    del batch
    recycler.take((3,)).fill_(9)
    loss.backward()
    assert weight.grad.tolist() == [2, 2, 2]


def test_a_larger_tensor_gets_memory_of_its_own():
    recycler = Recycler()
    recycler.take((2,))
    assert recycler.take((1000,)).fill_(1).sum() == 1000
    assert recycler.take((0, 3)).shape == (0, 3)


def test_each_thread_has_its_own_scratch():
    scratch, others = Scratch(), []
    mine = scratch.take("a", (4, 5))
    thread = threading.Thread(target=lambda: others.append(scratch.take("a", (4, 5))))
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, others[0])
    assert np.shares_memory(mine, scratch.take("a", (2, 2)))
    assert not np.shares_memory(mine, scratch.take("b", (2, 2)))
    assert scratch.take("a", (2, 2), np.uint8).dtype == np.uint8


def test_very_large_scratch_is_not_kept():
    scratch = Scratch()
    large = scratch.take("a", (2**24 + 1,))
    assert not np.shares_memory(large, scratch.take("a", (2**24 + 1,)))
