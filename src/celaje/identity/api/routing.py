"""Identity's two kinds of routes. Unscoped tokens may come in at both: a rule decides what they may do."""

from functools import partial

from celaje.common.wsgi import Route

# The rule does not speak of a target: the pipeline checks it.
route = partial(Route, scope="any")
# The handler checks the rule against what it has loaded.
checked = partial(Route, scope="any", authorize="handler")
