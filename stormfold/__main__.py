"""The entry point of the command `stormfold`.

Exit codes: 0 done; 1 it could not be done, with one clear sentence on standard error; 2 wrong usage; 130 Ctrl-C.
"""

from __future__ import annotations

import sys

from stormfold.cli.app import run
from stormfold.cli.errors import expected_errors


def main() -> None:
    """Run the command line of this process."""
    try:
        run(sys.argv[1:])
    except SystemExit:  # the ordinary end; the next clause would import what it names
        raise
    except expected_errors() as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
