"""What the database layer raises instead of a driver's exceptions."""

from celaje.common import errors


class DatabaseTrouble(errors.Unavailable):
    """The database, not the unit, is why it was not done (or is not known to be)."""


class DuplicateRow(errors.Conflict):
    """A unique key is taken. Queries catch it and raise their service's own conflict."""

    text = "Such a row exists already."


class ValueRefused(errors.Invalid):
    """Too long for its column, out of a number's range, or with characters that the database cannot keep."""

    text = "The database cannot keep a value of this request: {cause}"


class DatabaseLocked(DatabaseTrouble):
    text = "The database did not let this transaction in within {seconds} s."


class SchemaTooNew(errors.ConfigurationError):
    text = (
        "The database of {service} has schema {found}, which this version of Celaje does not know "
        "(it knows up to {known}). Start the version that wrote it, or use another state directory."
    )


class SchemaMissing(errors.ConfigurationError):
    text = (
        "The database of {service} has no tables yet. Run celaje db sync --service {service} with the same "
        "configuration files."
    )


class SchemaTooOld(errors.ConfigurationError):
    text = (
        "The database of {service} has schema {found}, this version of Celaje needs {known}. Run celaje db "
        "sync --service {service} with the same configuration files."
    )


class ForeignSchema(errors.ConfigurationError):
    """Two services share one database by mistake, or somebody removed tables."""

    text = (
        "The database that [database] connection names for {service} has a schema, but not its tables "
        "({missing} ...). Each service needs a database of its own: write {{service}} into the URL."
    )


class DriverMissing(errors.ConfigurationError):
    text = "[database] connection needs the library {library}: pip install 'celaje[{extra}]'."


class BadConnection(errors.ConfigurationError):
    """An URL that leads nowhere: no such database, a wrong password, not an URL at all."""

    text = "[database] connection does not lead to a database: {cause}"


class DatabaseClosed(DatabaseTrouble):
    """Work that came after the end: its service has been stopped or killed."""

    text = "The database is closed, since its service has stopped."


class DatabaseBusy(DatabaseTrouble):
    text = "No connection to the database became free within {seconds:g} s."


class DatabaseUnreachable(DatabaseTrouble):
    """The server is down or being restarted, or the connection broke again and again. Nothing is written."""

    text = "The database cannot be reached."


class DatabaseContended(DatabaseTrouble):
    """Deadlocks or lock timeouts, more of them in a row than is worth another attempt. Nothing is written."""

    text = "The database could not run this transaction beside others."


class OutcomeUnknown(DatabaseTrouble):
    """The connection broke while the commit was on its way: it may be written or not. The same unit must not
    simply run again; a client looks first, a flow is replayed from its journal."""

    text = "The connection to the database broke during the commit. Look whether the change was made."
