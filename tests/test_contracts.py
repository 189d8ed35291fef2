"""The library stays one that a stranger walks through: few flat modules, few lines."""

from misalign.paths import LIBRARY

MOST_FLAT = 14
MOST_LINES = 17_500


def test_few_modules_lie_flat():
    flat = sorted(path.name for path in LIBRARY.glob("*.py"))
    assert len(flat) <= MOST_FLAT, flat


def test_the_library_stays_thin():
    lines = {path: path.read_bytes().count(b"\n") for path in LIBRARY.rglob("*.py")}
    longest = sorted(lines, key=lines.get)[-5:]
    assert sum(lines.values()) <= MOST_LINES, [str(path.relative_to(LIBRARY)) for path in longest]
