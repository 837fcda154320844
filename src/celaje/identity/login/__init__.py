"""Login: from what a request shows (password, token, application credential) to a token with a scope.

`methods.py` proves who it is, `scope.py` where to, `issue.py` makes the token and its view.
"""
