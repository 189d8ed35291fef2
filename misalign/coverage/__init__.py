"""How many captions name each concept (the slides' second validation)."""

from misalign.coverage.concepts import Concept, Taxonomy
from misalign.coverage.counting import count
from misalign.coverage.tally import Tally

__all__ = ["Concept", "Tally", "Taxonomy", "count"]
