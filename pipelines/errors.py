"""The one exception a user's mistake raises."""


class UserError(Exception):
    """Something the user can mend.

    The message is one line: it names the file or the option, says what is wrong and
    what to do. Command lines print it after `error:` and exit with status 2; nobody
    sees a traceback for it.
    """
