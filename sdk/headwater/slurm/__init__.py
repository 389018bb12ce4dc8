"""Slurm: where and how to submit, jobs submitted once, followed with one poll, and what their ends mean.

Knows nothing of workflows: a job is a script, a name and a number of tasks. The backend `slurm` and the bridge
stand on it.
"""
