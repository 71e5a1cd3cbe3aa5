"""The one exception that a user is meant to read."""

from __future__ import annotations


class KathrineError(Exception):
    """A mistake or an absence that the user can mend.

    The command line prints it as one sentence and a remedy and exits with code 2; no traceback.

    Args:
        message: one sentence that names the thing and what is wrong with it.
        hint: what to do about it, or an empty string where the message already says so.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    @property
    def sentence(self) -> str:
        """Message and remedy on one line, for a list of problems."""
        return "; ".join(part for part in (self.message, self.hint) if part)


class OtherFamilyError(KathrineError):
    """A checkpoint is of another model family than the one that was asked to read it."""


class RecipeError(KathrineError):
    """Every problem of a recipe at once, each with its place.

    Args:
        problems: lines of the form ``file:line: path: message``.
    """

    def __init__(self, problems: list[str]) -> None:
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''} in the recipe"
        super().__init__("\n".join([count, *(f"  {problem}" for problem in problems)]))
        self.problems = problems
