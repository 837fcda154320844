"""Errors of the flow engine, and the two signals with which a run leaves a flow's function."""

from celaje.common import errors


class DeadlineExceeded(errors.CelajeError):
    """The flow's deadline passed; `step` is what it was on, `waiting_on` whom it waited for."""

    text = "The operation {flow} did not end by its deadline; it was at step {step}{waiting}."


class FlowTimeout(errors.Unavailable):
    """Whoever waited for the flow stopped waiting. The work goes on."""

    text = "The operation {flow} takes longer than {timeout} s; it goes on and will end by {deadline}."


class FlowGaveUp(errors.CelajeError):
    """The flow has failed since somebody did not answer in time, told to who waited for its end. It is no
    `Unavailable`: who is not there is waited for, so this one was there and had its time, and to ask again
    would begin the whole operation anew, as often as the asker's own deadline allows."""

    text = "The operation failed, since an answer did not come in time."


class FlowMismatch(errors.CelajeError):
    """A journal that does not fit the flow's function: the function was changed without a new version."""

    text = "Flow {flow}: step {number} is {found} in the journal, but {expected} in the code."


class InternalFlowError(errors.CelajeError):
    """Something that is no domain error escaped from a flow's function; the log has the traceback."""

    text = "Flow {flow} failed unexpectedly ({cause})."


class LeaseLost(BaseException):
    """Another conductor has taken the flow over; this run must stop without a trace. Not an Exception, so
    that no flow's `except` clause can hold it up."""


class JournalAway(LeaseLost):
    """The database did not take a write of the journal, or it is not known whether it did. Nothing that
    happens here can be written down, so the run stops; whoever has the flow next reads how far it came."""


class Suspended(BaseException):
    """The run cannot go on now: whom it waits for, and for how long before the next try."""

    def __init__(self, waiting_on: str, delay: float):
        super().__init__(waiting_on)
        self.waiting_on = waiting_on
        self.delay = delay


class Unwind(BaseException):
    """Carries the flow's recorded error past the function's own `except` clauses, into the undo steps."""

    def __init__(self, error: errors.CelajeError):
        super().__init__(str(error))
        self.error = error
