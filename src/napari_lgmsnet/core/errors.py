"""One tree of errors whose messages a person can act on.

Every message says what is wrong with which input, and what to do about it. The window shows the
message as it is; the command line prints it in one line and exits with 2.
"""


class LGMSNetError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(LGMSNetError):
    """An image, array or setting cannot be used as it was given."""


class FileFormatError(InputError):
    """A file is missing, unreadable, or not what its name promises."""


class WriteError(LGMSNetError):
    """What was written could not be read back as it should be; the old file, if any, stays."""


class GeometryError(InputError):
    """Spacing, affine, axes or shape contradict each other."""


class CheckpointError(LGMSNetError):
    """A checkpoint cannot be read, does not fit the network, or fails its checksum."""


class TrainingError(LGMSNetError):
    """Training data or a training configuration cannot be used."""


class ProjectError(LGMSNetError):
    """A project's folder cannot be used, is damaged, or refuses a change."""


class ReadOnlyError(ProjectError):
    """A project is open for reading only; the message says why."""


class DownloadError(LGMSNetError):
    """A file could not be fetched; nothing of it was kept."""


class OutOfMemoryError(LGMSNetError):
    """Not even the smallest window fits into the memory of the device."""


class Cancelled(LGMSNetError):
    """The person stopped the work; nothing was returned."""
