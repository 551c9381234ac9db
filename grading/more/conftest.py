"""As for the other tests of grading: one folder for what is compiled, one for temporary files."""

from grading.tests.conftest import build, temporary

__all__ = ["build", "temporary"]
