"""What runs in a Python pod: a unit comes in by the environment, a report goes out as the termination message.

`main` is the way through; `bundle` gets the code; `values` reads what comes by reference; `task`, `items`, `block`
and `questions` do the four kinds of unit; `outputs` and `report` make the answer fit.
"""
