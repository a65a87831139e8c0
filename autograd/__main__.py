"""The command line: ``python -m autograd explain "tanh(a*b + c)" a=2 b=-3 c=10``."""

import sys

from .cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
