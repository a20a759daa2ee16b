import os
import subprocess
import sys

import pytest

from vernier.training.allocator import can_keep

PROGRAM = """
import resource
import numpy as np
from vernier.training.allocator import is_kept, keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**26, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults(), faults()
usual = faults()
assert not is_kept()
keep_freed_memory()
assert is_kept()
faults()
print(usual, faults())
"""


@pytest.mark.skipif(not can_keep(), reason="the C library has no mallopt")
def test_memory_that_was_freed_is_used_again_without_page_faults():
    # NumPy asks for huge pages, which the kernel may have or not: without them faults can be counted.
    environment = os.environ | {"NUMPY_MADVISE_HUGEPAGE": "0"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    usual, kept = map(int, done.stdout.split())
    assert usual > 100
    assert kept < usual / 10
