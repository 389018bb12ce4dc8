"""Test cases and pytest fixtures for people who write pipelines.

Subclass `TaskTestCase`, `CommandTestCase` or `PostgresCommandTestCase`; or ask for the fixtures `run_task`,
`run_command`, `postgres_pipeline`, which pytest finds by itself once Headwater is installed.
"""

from headwater.testing.cases import CommandTestCase, PostgresCommandTestCase, TaskTestCase

__all__ = ["CommandTestCase", "PostgresCommandTestCase", "TaskTestCase"]
