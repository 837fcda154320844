"""The chain of waits of an operation: who waits how long for whom, read from the code that does the waiting.

`outline` runs a flow's function against a recorder, `handlers` reads what an API's handler waits for,
`links` joins both with the configuration; `rules` judges the order, `simulation` plays a slow hop through.
"""
