"""flowctl: `main` declares the commands, `commands/` does them, `views/` shows runs.

Nothing heavy is loaded before a command needs it: `flowctl --help` has to feel instant.
"""
