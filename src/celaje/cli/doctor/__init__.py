"""`celaje doctor`: everything that can be found wrong with a cloud without touching it.

One file a kind of check; each check is a function from an Examination to findings, listed in `command.py`.
"""
