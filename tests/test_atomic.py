import errno
import os
import stat
import subprocess
import sys

import pytest

from vernier.atomic import remedy, write_atomically, write_text_atomically
from vernier.errors import RunError


def test_text_is_written_and_replaced(tmp_path):
    path = tmp_path / "result.json"
    write_text_atomically(path, "grün\r\n")
    write_text_atomically(path, "zwei\n")
    assert path.read_bytes() == b"zwei\n"
    assert list(tmp_path.iterdir()) == [path]


def test_line_ends_and_umlauts_stay_as_they_are(tmp_path):
    write_text_atomically(tmp_path / "a.txt", "grün\r\n")
    assert (tmp_path / "a.txt").read_bytes() == "grün\r\n".encode()


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    write_text_atomically(tmp_path / "atomic", "")
    assert stat.S_IMODE((tmp_path / "atomic").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_old_content_stays_when_the_writer_fails_half_way(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"old")

    def fail(file):
        file.write(b"new, but not al")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_old_content_is_seen_until_the_new_is_complete(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"old")

    def write(file):
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"

    write_atomically(path, write)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_names_file_reason_and_remedy(tmp_path, error):
    path = tmp_path / "weights"

    def fill(file):
        raise OSError(error, os.strerror(error))

    with pytest.raises(RunError) as caught:
        write_atomically(path, fill)
    assert str(path) in str(caught.value)
    assert os.strerror(error) in str(caught.value)
    assert "Free some space" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_missing_directory_is_a_run_error(tmp_path):
    with pytest.raises(RunError, match="No such file or directory"):
        write_text_atomically(tmp_path / "none" / "a", "")


def test_other_errors_have_a_remedy_too():
    assert "permissions" in remedy(PermissionError(errno.EACCES, "Permission denied"))


def test_file_size_limit_of_the_system_leaves_the_old_file(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"old")
    program = f"""
import resource
from pathlib import Path
from vernier.atomic import write_atomically
from vernier.errors import RunError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomically(Path({str(path)!r}), lambda file: file.write(bytes(100_000)))
except RunError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert "ulimit" in done.stdout
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
