"""What authors write: tasks, targets, workflows, conditions; checked as a graph and compiled to a document."""
