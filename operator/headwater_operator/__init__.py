"""The operator: Workflow resources become Pods and Jobs, what they do becomes status and records."""
