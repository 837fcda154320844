"""The image service's own errors. Raised by its handlers, uploads and flows; worded by the image dialect."""

from celaje.common import errors


class ImageNotFound(errors.NotFound):
    text = "No image found with ID {image_id}"


class MemberNotFound(errors.NotFound):
    text = "{member_id} not found in the member list of the image {image_id}."


class TagNotFound(errors.NotFound):
    text = "Tag {tag} is not on image {image_id}."


class ReadOnlyAttribute(errors.Forbidden):
    text = "Attribute '{name}' is read-only."


class ReservedAttribute(errors.Forbidden):
    text = "Attribute '{name}' is reserved."


class NotAllowed(errors.Forbidden):
    """Forbidden for a reason that is no policy rule: a protected image, a deactivated one ..."""

    text = "This is not allowed."


class IdTaken(errors.Conflict):
    """An image has this id, or had it once."""

    text = "Image ID {image_id} already exists!"


class HashMismatch(errors.Invalid):
    text = "The data at {url} is not what was promised: its {algorithm} is {found}."


class WrongState(errors.Conflict):
    text = "Image status transition from {status} to {goal} is not allowed"


class ImageGone(errors.CelajeError):
    """The image went away while its data was coming, or the upload was given up meanwhile: 410."""

    kind = "gone"
    text = (
        "Image {image_id} could not be found after upload. The image may have been deleted during the "
        "upload, cleaning up the chunks uploaded."
    )


class RangeNotSatisfiable(errors.CelajeError):
    """416: the Range header is not one, or lies outside of the image."""

    kind = "range_not_satisfiable"
    text = "The byte range of the request cannot be satisfied: the image has {size} bytes."


class BadImageContent(errors.UnsupportedMediaType):
    """The data is not what disk_format says, or unsafe to open: 415 as Glance answers."""

    text = "The image's content cannot be accepted."


class LimitExceeded(errors.OverQuota):
    text = (
        "The limit has been exceeded on the number of allowed image {what}. "
        "Attempted: {attempted}, Maximum: {maximum}"
    )


class StorageQuotaFull(errors.OverQuota):
    text = "The size of the data exceeds the limit. {remaining} bytes remaining."


class ProjectOverLimit(errors.OverQuota):
    """A limit of identity's."""

    text = "Project {project} is over a limit for {resource}: limit {limit}, used {current}, asked {added}."


class UploadLost(errors.CelajeError):
    """Who was sending the data has gone without a word."""

    text = "The upload of image {image_id} ended without a word from the API process that received it."
