"""From steps of a run to the objects of Kubernetes that carry them out: pure functions, no API calls."""
