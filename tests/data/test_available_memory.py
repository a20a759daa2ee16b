import os

from vernier.data.available_memory import _of_the_groups, available_memory


def test_available_memory_is_that_of_the_tightest_group(tmp_path):
    group = tmp_path / "job/step"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group.parent / "memory.max").write_text("1000\n")
    (group.parent / "memory.current").write_text("700\n")
    (group.parent / "memory.stat").write_text("anon 400\ninactive_file 200\n")
    assert list(_of_the_groups(tmp_path, "job/step")) == [500]
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < available_memory() <= physical
