"""What the theorem predicts, and what its proof is made of.

`oracle` turns Theorem 4.1 into a number for every factor; the other modules hold the steps of
Appendix B as things that can be computed.
"""

from misalign.theory.oracle import best_mcc, explained, explained_functions, oracle

__all__ = ["best_mcc", "explained", "explained_functions", "oracle"]
