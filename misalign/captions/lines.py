"""Captions from a published text file."""

from __future__ import annotations

from pathlib import Path

from misalign.errors import invalid


def read_lines(path: Path | str) -> list[str]:
    r"""Read captions, one a line, from a UTF-8 file; nothing is split into sentences.

    Lines end with "\n" or "\r\n", and with nothing else: any other character that Python takes
    for a line's end, such as a lone "\r" or "\x85", stays in its caption and shifts no pair after
    it. A byte order mark and a newline at the end of the file are left out. A file that is not
    UTF-8, is empty, has an empty line, or ends its lines with "\r" alone is a ValueError.
    """
    path = Path(path)
    if not path.is_file():
        raise invalid("path", "a text file, one caption a line", path, FileNotFoundError)
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        got = f"byte {data[error.start]:#04x} in line {line}"
        raise ValueError(f"{path}: expected UTF-8, got {got}") from None
    if not text.strip():
        raise invalid(str(path), "one caption a line", "an empty file")
    if "\r" in text and "\n" not in text:
        raise invalid(str(path), r"lines that end with \n or \r\n", r"\r alone")
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise invalid(str(path), "one caption a line", f"an empty line {number}")
    return lines
