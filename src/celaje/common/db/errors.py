"""What the database layer raises instead of a driver's exceptions."""

from celaje.common import errors


class DuplicateRow(errors.Conflict):
    """A unique key is taken. Queries catch it and raise their service's own conflict."""

    text = "Such a row exists already."


class DatabaseLocked(errors.Unavailable):
    text = "The database did not let this transaction in within {seconds} s."


class SchemaTooNew(errors.ConfigurationError):
    text = (
        "The database of {service} has schema {found}, which this version of Celaje does not know "
        "(it knows up to {known}). Start the version that wrote it, or use another state directory."
    )


class DatabaseClosed(errors.Unavailable):
    """Work that came after the end: its service has been stopped or killed."""

    text = "The database is closed, since its service has stopped."


class DatabaseBusy(errors.Unavailable):
    text = "No connection to the database became free within {seconds:g} s."
