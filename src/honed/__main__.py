"""``python -m honed`` is ``honed``."""

from honed.cli.main import main

main()
