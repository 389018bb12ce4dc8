"""The operator's own path to the API server: a client, an informer, a work queue, a lease. Knows no workflows."""
