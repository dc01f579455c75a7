"""What the operator says in a chat: a system prompt, and words around the user's last message.

Many chat templates take one system message, and only as the first. So what callers say as
system or developer, wherever it stands, is put into one message with the operator's prompt.
"""

from enum import Enum, auto
from typing import Any

import msgspec

from control.api.errors import InvalidValue

BLANK_LINE = "\n\n"
_SYSTEM = ("system", "developer")

# A text, or parts: texts, images and so on, as they came.
Content = str | list[msgspec.Raw]


class Position(Enum):
    """Where the operator's system prompt stands beside the caller's own."""

    PREPEND = auto()
    APPEND = auto()
    REPLACE = auto()


class _Message(msgspec.Struct, gc=False):
    role: Any = None
    content: msgspec.Raw = msgspec.Raw(b"null")


class _TextPart(msgspec.Struct, tag_field="type", tag="text", gc=False):
    text: str


_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_messages = msgspec.json.Decoder(list[_Message]).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_content = msgspec.json.Decoder(Content).decode
_text_part = msgspec.json.Decoder(_TextPart).decode
_encode = msgspec.json.Encoder().encode


class SystemPrompt:
    """A prompt that becomes part of the one, leading system message. text: not empty."""

    def __init__(self, text: str, position: Position) -> None:
        self._text = text
        self._position = position
        self._alone = _raw({"role": "system", "content": text})
        before, after = text + BLANK_LINE, BLANK_LINE + text
        self._before, self._after = _raw(_TextPart(before)), _raw(_TextPart(after))
        self._parts = (text, before, after)

    def added(self, messages: msgspec.Raw) -> msgspec.Raw:
        """Return a list of messages with the prompt in its first one, which is the only system one.

        Messages of others keep their bytes. What the caller says with the very words of the
        prompt is not said twice.

        Raises:
            InvalidValue: there are no messages, or nothing can be added to one.
        """
        read = _read(messages)
        raws = _raws(messages)
        theirs = [place for place, message in enumerate(read) if message.role in _SYSTEM]
        if not theirs:
            return _raw([self._alone, *raws])
        leading = self._alone
        if self._position is not Position.REPLACE:
            contents = [_content_of(read[place].content, place) for place in theirs]
            leading = self._beside(contents, raws[theirs[0]])
        rest = [raw for raw, one in zip(raws, read, strict=True) if one.role not in _SYSTEM]
        return _raw([leading, *rest])

    def _beside(self, contents: list[Content], first: msgspec.Raw) -> msgspec.Raw:
        """Return `first`, a message of the caller, with the prompt and `contents` in it."""
        theirs = _joined([rest for content in contents if (rest := self._without(content))])
        prepended = self._position is Position.PREPEND
        both: Content
        if isinstance(theirs, list):
            both = [self._before, *theirs] if prepended else [*theirs, self._after]
        else:
            order = (self._text, theirs) if prepended else (theirs, self._text)
            both = BLANK_LINE.join(filter(None, order))
        return _raw(_members(first) | {"role": _raw("system"), "content": _raw(both)})

    def _without(self, content: Content) -> Content:
        """Return `content` without the prompt, if that stands there already."""
        if isinstance(content, list):
            return [part for part in content if _text(part) not in self._parts]
        if content == self._text:
            return ""
        if self._position is Position.PREPEND:
            return content.removeprefix(self._text + BLANK_LINE)
        return content.removesuffix(BLANK_LINE + self._text)


class UserTemplate:
    """Words around the last message of the user. before, after: not both empty."""

    def __init__(self, before: str, after: str) -> None:
        self._quoted = _encode(before)[:-1], _encode(after)[1:]
        self._parts = [[_raw(_TextPart(text))] if text else [] for text in (before, after)]

    def applied(self, messages: msgspec.Raw) -> msgspec.Raw:
        """Return a list of messages with the words around the last one of the user, if any.

        Raises:
            InvalidValue: there are no messages, or nothing can be added to that one.
        """
        read = _read(messages)
        users = (place for place in reversed(range(len(read))) if read[place].role == "user")
        place = next(users, None)
        if place is None:
            return messages
        raws = _raws(messages)
        content = self._around(read[place].content, place)
        raws[place] = _raw(_members(raws[place]) | {"content": content})
        return _raw(raws)

    def _around(self, content: msgspec.Raw, place: int) -> msgspec.Raw:
        written = bytes(content)
        before, after = self._quoted
        if written.startswith(b'"'):  # what is in the quotes stays as it was spelled
            return msgspec.Raw(b"%b%b%b" % (before, written[1:-1], after))
        parts = _content_of(content, place)
        return _raw([*self._parts[0], *parts, *self._parts[1]])


def _joined(contents: list[Content]) -> Content:
    """Return all of `contents`, texts with a blank line between them and what is beside them."""
    texts = [content for content in contents if isinstance(content, str)]
    if len(texts) == len(contents):
        return BLANK_LINE.join(texts)
    parts: list[msgspec.Raw] = []
    for place, content in enumerate(contents):
        if isinstance(content, list):
            parts += content
            continue
        behind = place > 0 and isinstance(contents[place - 1], list)
        ahead = place < len(contents) - 1
        text = f"{BLANK_LINE if behind else ''}{content}{BLANK_LINE if ahead else ''}"
        parts.append(_raw(_TextPart(text)))
    return parts


def _read(messages: msgspec.Raw) -> list[_Message]:
    try:
        return _messages(messages)
    except msgspec.ValidationError as error:
        raise InvalidValue(
            "'messages' is not a list of objects, and a prompt belongs to it", param="messages"
        ) from error


def _content_of(content: msgspec.Raw, place: int) -> Content:
    try:
        found: Content = _content(content)
    except msgspec.ValidationError as error:
        raise InvalidValue(
            f"'messages[{place}].content' is neither a text nor a list of parts,"
            " and a prompt belongs to it",
            param="messages",
        ) from error
    return found


def _text(part: msgspec.Raw) -> str:
    """Return the text of a part, "" when it is of another kind."""
    try:
        return _text_part(part).text
    except msgspec.ValidationError:
        return ""


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encode(value))
