"""Values: how they travel (`codec`), where they rest (`store`), what they are known by (`digest`, `code`),
`cache`.

Import the modules, not this package: each one costs only what it needs, and none of them imports numpy,
pandas, pyarrow, cloudpickle or fsspec before a value needs it.
"""
