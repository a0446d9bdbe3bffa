"""What the library's calls raise. Each error's text is the library's own message: one line that names the argument,
file or field, what came, and what was expected."""


class Error(Exception):
    """Any failure that the library reports."""


class InvalidArgumentError(Error, ValueError):
    """A value outside its documented range, or sizes whose product overflows."""


class UnsupportedError(Error):
    """Valid, but not by this build, this CPU or this algorithm."""


class OutOfMemoryError(Error, MemoryError):
    """There is no memory for it."""


class FileError(Error, OSError):
    """The system refused to open, read or write a file."""


class FormatError(Error, ValueError):
    """A file whose content breaks the rules of its format, or does not fit the network."""
