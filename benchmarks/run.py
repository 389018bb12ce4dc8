"""Runs all benchmarks; `make bench` calls it."""

from harness import main

if __name__ == "__main__":
    main()
