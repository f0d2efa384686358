"""Memory in large pages."""

import os
import subprocess
import sys
from pathlib import Path

from gateway.memory import LARGE, _dense

SMAPS = """\
{0:x}-{1:x} rw-p 00000000 00:00 0 
Size:               8192 kB
Rss:                {2} kB
VmFlags: rd wr mr mw me ac 
7fff00000000-7fff00800000 {3} {4}
Rss:                8192 kB
"""  # noqa: W291 - as the kernel writes it
OTHER = ("r-xp", "00000000 fe:00 123                       /usr/lib/x86_64-linux-gnu/libc.so.6")


def test_whole_large_pages_within_a_mapping_in_use_are_found() -> None:
    """Only whole large pages are named, and only where half of a private mapping without a file is in use."""
    start = 5 * LARGE + 4096
    end = start + 4 * LARGE
    assert list(_dense(SMAPS.format(start, end, 4096, *OTHER))) == [(6 * LARGE, 3 * LARGE)]
    assert list(_dense(SMAPS.format(start, end, 4092, *OTHER))) == []
    assert list(_dense(SMAPS.format(start, start + LARGE, 2048, *OTHER))) == []


def test_a_file_of_any_name_may_be_in_memory(tmp_path: Path) -> None:
    """A mapped file whose name is no text, as that of a log may be, is no reason not to settle."""
    program = (
        "import mmap, sys; from gateway.memory import settle; file = open(sys.argv[1], 'wb+'); file.truncate(4096); "
        "held = mmap.mmap(file.fileno(), 4096); settle()"
    )
    subprocess.run([sys.executable, "-c", program, os.fsencode(tmp_path) + b"/\xff"], check=True)


def test_what_is_in_memory_stays_as_it_is() -> None:
    """Settling changes nothing of what is there, and leaves it out of garbage collection."""
    program = (
        "import gc, hashlib; from gateway.memory import settle; kept = [str(n) * 9 for n in range(300_000)]; "
        "digest = lambda: hashlib.sha256(''.join(kept).encode()).digest(); before = digest(); settle(); "
        "assert digest() == before and gc.get_freeze_count() > 0"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
