"""Train, use and evaluate a multi-layer perceptron from the shell.

::

    python -m nn train data.csv --target species --hidden 16,16 --epochs 200 --out run/
    python -m nn predict run/ new.csv
    python -m nn report run/
    python -m nn explain run/ new.csv --row 3
    python -m nn sweep config.json --workers 2
    python -m nn play moons --out page.html

Exit status: 0, 1 if a trial of a sweep failed, 2 for an invalid option or table, 130 after Ctrl-C.
"""

import os
import sys
import warnings

from .cli.folder import explain, predict, report
from .cli.options import arguments
from .cli.sweep import sweep
from .cli.training import play, train

COMMANDS = {"train": train, "predict": predict, "report": report, "explain": explain, "sweep": sweep, "play": play}


def out(text: str) -> None:
    """Print a line; characters outside of the output encoding are replaced."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> int:
    """Run a command, and return its exit status."""
    try:
        args = arguments().parse_args(argv)
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *rest: sys.stderr.writelines([f"warning: {message}\n"])
            return COMMANDS[args.command](args, out)
    except BrokenPipeError:  # as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (ValueError, TypeError, KeyError, OSError) as error:
        text: object = error.args[0] if isinstance(error, KeyError) and error.args else error
        if isinstance(error, OSError) and error.filename:
            text = f"{error.strerror}: {error.filename}"
        sys.stderr.write(f"error: {' '.join(str(text).split())}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
