"""Values within records: dotted names lead into dictionaries, and through lists to several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


class Several(list):
    """Values of a column of lists."""


def columns(records: Iterable[dict], most: int = 100) -> dict[str, list]:
    """Dotted names of all leaves of records, each with its first values that are not null."""
    found: dict[str, list] = {}
    for record in records:
        for name, value, listed in _leaves_of(record, "", False):
            values = found.setdefault(name, [])
            if listed and not isinstance(values, Several):
                values = found[name] = Several(values)
            if value is not None and len(values) < most:
                values.append(value)
    return found


def _leaves_of(value: Any, name: str, listed: bool) -> Iterator[tuple[str, Any, bool]]:
    """Leaves with their dotted names, and whether a list led there."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves_of(one, f"{name}.{key}" if name else str(key), listed)
    elif isinstance(value, list) and value:
        for one in value:
            yield from _leaves_of(one, name, True)
    else:
        yield name, None if isinstance(value, list) else value, listed or isinstance(value, list)


def follow(value: Any, path: str) -> list:
    """The values that a dotted name leads to from a value; null where there is no such key."""
    if isinstance(value, list):
        return [leaf for one in value for leaf in follow(one, path)]
    if not path:
        return [value]
    if isinstance(value, dict):
        keys = path.split(".")
        for end in range(len(keys), 0, -1):
            if (key := ".".join(keys[:end])) in value:
                return follow(value[key], ".".join(keys[end:]))
    return [None]


def holds_list(value: Any, path: str) -> bool:
    """Whether a dotted name leads through a list."""
    if isinstance(value, list):
        return True
    head, _, rest = path.partition(".")
    return isinstance(value, dict) and bool(path) and holds_list(value.get(head), rest)
