"""Counts in words."""


def counted(n: int, one: str, many: str = "") -> str:
    """Such as `1 clip` and `1,200 clips`."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"
