"""What a user's mistake raises, and what other errors say."""

from typing import Any

_MOST_SHOWN = 200  # characters of an error that is not ours


class UserError(Exception):
    """Something a user can mend: a damaged file, a wrong name, settings that do not go together.

    Its message is one line that names the file or the argument, says what is wrong and what to do.
    """


def reason_of(error: Exception) -> str:
    """Why something failed, in one line: the system's words, the error's first line, or its class."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:_MOST_SHOWN]


class ArgumentError(UserError):
    """An argument that will not do; the command line speaks of the option of that name instead.

    Args:
        argument: Its name, as functions take it: `group_by`.
        value: What was given; None to leave it out of the message.
        problem: What is wrong with it, and what to do.
    """

    def __init__(self, argument: str, value: object, problem: str) -> None:
        self.argument = argument
        self.value = value
        self.problem = problem
        super().__init__(self.in_words(argument))

    def __reduce__(self) -> Any:
        return type(self), (self.argument, self.value, self.problem)  # from a process of ours

    def in_words(self, name: str) -> str:
        """The message, with another name for the argument."""
        if self.value is None:
            return f"{name}: {self.problem}"
        shown = str(self.value)
        is_seen = bool(shown.strip()) and shown.isprintable()
        return f"{name} {shown if is_seen else repr(shown)}: {self.problem}"
