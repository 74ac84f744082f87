"""The two ways in which a package can fail its reader: bad rows, or files that are no package."""


class ModelInputError(ValueError):
    """Rows that the model cannot take; the message names column and row and says what is accepted."""


class PackageError(ValueError):
    """Files that are no readable package of this version."""
