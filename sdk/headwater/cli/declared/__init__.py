"""The commands of flowctl: names, arguments and help, by topic. What they do is in `commands/`, loaded when called."""

from importlib import import_module

for _topic in ("running", "looking", "controlling", "cluster", "project", "stored"):  # the order of the help
    import_module(f"{__name__}.{_topic}")
