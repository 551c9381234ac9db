"""socklab's harness: what checks import.

Start with ``check`` (the marker), ``program`` (what a check is handed) and
``waiting`` (why nothing here ever sleeps).
"""

from .marker import check
from .failure import Failure, fail, require

__all__ = ["Failure", "check", "fail", "require"]
