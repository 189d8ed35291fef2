"""``python -m misalign`` is the ``misalign`` command."""

from misalign.cli import main

main()
