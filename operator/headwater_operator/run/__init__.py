"""One run: from what is observed to events, through the engine, to what is written and created. No I/O here but in
`reconcile`.
"""
