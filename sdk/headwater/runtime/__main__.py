"""The entry point of every Python pod: `python -m headwater.runtime`."""

import sys

from headwater.runtime.pod.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
