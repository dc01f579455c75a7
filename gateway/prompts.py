"""What the operator says in a chat: a system prompt, and words around the user's last message.

Many chat templates take one system message, and only as the first. So what callers say as
system or developer, wherever it stands, is put into one message with the operator's prompt.
"""

import json
from enum import Enum, auto

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
    role: str = ""
    content: msgspec.Raw = msgspec.Raw(b"null")


class _Part(msgspec.Struct, gc=False):
    text: msgspec.Raw = msgspec.Raw(b"null")


_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_messages = msgspec.json.Decoder(list[_Message]).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_content = msgspec.json.Decoder(str | list[_Part]).decode
_encode = msgspec.json.Encoder().encode


class SystemPrompt:
    """A prompt that becomes part of the one, leading system message. text: not empty."""

    def __init__(self, text: str, position: Position) -> None:
        self._text = text
        self._position = position
        self._alone = _raw({"role": "system", "content": text})
        before, after = text + BLANK_LINE, BLANK_LINE + text
        self._before, self._after = _text_part(before), _text_part(after)
        # As this module writes them, and as most clients do.
        self._known = {
            spelled
            for one in (text, before, after)
            for spelled in (_encode(one), json.dumps(one).encode())
        }

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
            others = [self._without(read[place].content, place) for place in theirs]
            leading = self._beside(others, raws[theirs[0]])
        rest = [raw for raw, one in zip(raws, read, strict=True) if one.role not in _SYSTEM]
        return _raw([leading, *rest])

    def _beside(self, contents: list[Content], first: msgspec.Raw) -> msgspec.Raw:
        """Return `first`, a message of the caller, with the prompt and `contents` in it."""
        theirs = _joined([content for content in contents if content])
        prepended = self._position is Position.PREPEND
        both: Content
        if isinstance(theirs, list):
            both = [self._before, *theirs] if prepended else [*theirs, self._after]
        else:
            order = (self._text, theirs) if prepended else (theirs, self._text)
            both = BLANK_LINE.join(filter(None, order))
        return _raw(_members(first) | {"role": _raw("system"), "content": _raw(both)})

    def _without(self, raw: msgspec.Raw, place: int) -> Content:
        """Return the content of a message without the prompt, if that stands there already."""
        content = _content_of(raw, place)
        if isinstance(content, list):
            both = zip(_raws(raw), content, strict=True)
            return [part for part, read in both if bytes(read.text) not in self._known]
        if content == self._text:
            return ""
        if self._position is Position.PREPEND:
            return content.removeprefix(self._text + BLANK_LINE)
        return content.removesuffix(BLANK_LINE + self._text)


class UserTemplate:
    """Words around the last message of the user. before, after: not both empty."""

    def __init__(self, before: str, after: str) -> None:
        self._quoted = _encode(before)[:-1], _encode(after)[1:]
        self._parts = [[_text_part(text)] if text else [] for text in (before, after)]

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
        _content_of(content, place)
        return _raw([*self._parts[0], *_raws(content), *self._parts[1]])


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
        parts.append(_text_part(text))
    return parts


def _read(messages: msgspec.Raw) -> list[_Message]:
    try:
        return _messages(messages)
    except msgspec.ValidationError as error:
        raise InvalidValue(
            "'messages' is not a list of objects, each with a text as its role,"
            " and a prompt belongs to it",
            param="messages",
        ) from error


def _content_of(raw: msgspec.Raw, place: int) -> str | list[_Part]:
    try:
        found: str | list[_Part] = _content(raw)
    except msgspec.ValidationError as error:
        raise InvalidValue(
            f"'messages[{place}].content' is neither a text nor a list of parts,"
            " and a prompt belongs to it",
            param="messages",
        ) from error
    return found


def _text_part(text: str) -> msgspec.Raw:
    return _raw({"type": "text", "text": text})


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encode(value))
