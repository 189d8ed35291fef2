"""What captions leave out, what they get wrong, and what to do about it."""

from misalign.audit.findings import Findings, find
from misalign.audit.page import expect_places, write

__all__ = ["Findings", "expect_places", "find", "write"]
