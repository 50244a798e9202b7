"""HTML as strings, with text and attributes escaped."""

from __future__ import annotations

from html import escape

_INLINE = ("a", "b", "span", "strong")


def element(name: str, *content: str, **attributes: object) -> str:
    """An element such as `<td class="words">...</td>`.

    Args:
        name: Of the element.
        content: HTML, as other elements or `text` give it.
        attributes: By name, `_` standing for `-` and a last `_` for nothing (`class_`); one
            that is None or empty is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value not in (None, "")
    )
    line_end = "" if name in _INLINE else "\n"
    return f"<{name}{written}>{''.join(content)}</{name}>{line_end}"


def text(content: object) -> str:
    """Text with what HTML would take for markup escaped."""
    return escape(str(content))
