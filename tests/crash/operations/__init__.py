"""What people do with a cloud, each with what it needs, what it promises, and how it is seen.

`prepare` makes the preconditions, `act` is one request, `kept` says what the promise of a 2xx is, `never`
whether nothing at all has happened, which is right only where the caller got no promise. One file a resource;
`tests/crash/table.py` names them all. What a crash leaves behind, `Story.clear` must be able to delete.
"""
