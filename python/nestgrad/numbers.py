"""Numbers as arrays where NumPy is installed, as lists elsewhere."""

import math


def numpy():
    """The module NumPy, or None."""
    try:
        import numpy as found
    except ImportError:
        return None
    return found


def column(values):
    """A column of a table; None stands for a missing value.

    Texts stay as they are. Whole numbers stay whole if none is missing.
    Otherwise they are numbers, NaN where one is missing.
    """
    is_text = any(isinstance(v, (str, list, dict)) for v in values)
    if not is_text and None in values:
        values = [math.nan if v is None else float(v) for v in values]
    np = numpy()
    if np is None:
        return values
    return np.array(values, dtype=object if is_text else None)
