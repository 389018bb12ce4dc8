"""Run one unit of a document: resolve its code, call its tasks, put maps together, capture what is printed."""
