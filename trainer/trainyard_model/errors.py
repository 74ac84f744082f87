"""The two ways in which a package can disappoint its reader: bad input rows, or files that are not a package."""


class ModelInputError(ValueError):
    """Rows that the model cannot take; the message names column and row and says what is accepted."""


class PackageError(ValueError):
    """Files that are no readable package of this version."""
