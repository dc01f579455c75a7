"""YAML text to a document of plain values, and the line of each of its keys.

Only what everybody reads alike is accepted: no aliases, no merges, no tags of one's own,
no key twice, and numbers as people write them, not by base 8 or 60.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

MAX_DEPTH = 32
MAX_SHOWN = 60  # characters of a value in a message
ALIASES = "aliases are not supported"

Path_ = tuple[str | int, ...]

_TEXT = "tag:yaml.org,2002:str"
_LIST = "tag:yaml.org,2002:seq"
_NUMBERS = {
    "tag:yaml.org,2002:int": r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)",
    "tag:yaml.org,2002:float": (
        r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    ),
}


class DocumentError(ValueError):
    """The text is no document. line: where, from 1; None when nobody can say."""

    def __init__(self, problem: str, line: int | None) -> None:
        super().__init__(problem)
        self.line = line


class _Loader(yaml.CSafeLoader):
    """Composes first, so that `_check` sees aliases and duplicate keys before they are merged."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of `node`; one that its type cannot hold is an error with its line."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, ArithmeticError, LookupError, AttributeError) as error:
            # What int(), datetime() and PyYAML's own tables and patterns say to such a text.
            problem = f"{node.value[:MAX_SHOWN]!r} is no {node.tag.rpartition(':')[2]}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error


# YAML 1.1 reads 12:30:45 as 45045 and 010 as 8; here they are texts, and what wants a
# number says so.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in patterns if tag not in _NUMBERS]
    for first, patterns in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in _NUMBERS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list("-+.0123456789"))


def parse(text: bytes) -> tuple[Any, dict[Path_, int]]:
    """Return the document in `text`, None when it is empty, and the line of each key by its path.

    Raises:
        DocumentError: it is not YAML in UTF-8, or more than this module accepts.
    """
    with _explaining(text):
        return _parsed(text.decode("utf-8-sig"))


def pieces(text: bytes) -> Iterator[tuple[Path_, Any, dict[Path_, int]]]:
    """Yield a long document in pieces, with the path of each and the lines in it.

    A piece is a value of the outermost mapping or, where that is a list with items, one of
    these; a document that is no mapping is one piece. The line of a piece itself is that of `()`.
    Neither the document nor its nodes are ever there as a whole: 10,000 entries would take
    300 MB, and be thrown away in one go that nothing else could run in.

    Raises:
        DocumentError: as `parse`, possibly after some pieces.
    """
    with _explaining(text):
        decoded = text.decode("utf-8-sig")
        _check_depth(decoded)
        composer = _Composer(decoded)
        try:
            for path, node in composer.pieces():
                lines: dict[Path_, int] = {(): node.start_mark.line + 1}
                _check(node, (), lines, set())
                yield path, composer.construct_document(node), lines
        finally:
            composer.dispose()


@contextmanager
def _explaining(text: bytes) -> Iterator[None]:
    """Turn what PyYAML says of `text` into a `DocumentError`."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DocumentError("not UTF-8 text", _line_at(text, error.start)) from error
    except yaml.reader.ReaderError as error:
        line = _line_at(text.decode("utf-8-sig")[: error.position].encode(), None)
        raise DocumentError(f"character {error.character:#x} is not allowed", line) from error
    except yaml.MarkedYAMLError as error:
        raise _explained(error, text) from error


class _Composer(yaml.composer.Composer, _Loader):
    """Composes one piece after another: the C parser below composes documents only."""

    def __init__(self, text: str) -> None:
        _Loader.__init__(self, text)
        yaml.composer.Composer.__init__(self)

    def pieces(self) -> Iterator[tuple[Path_, yaml.Node]]:
        self.get_event()  # of the stream
        if self.check_event(yaml.StreamEndEvent):
            return
        self.get_event()  # of the document
        if self.check_event(yaml.MappingStartEvent):
            self.get_event()
            yield from self._values()
        else:
            yield (), self.compose_node(None, None)
        self.get_event()
        if not self.check_event(yaml.StreamEndEvent):
            raise _at(self.peek_event(), "expected one document, but found another document")

    def _values(self) -> Iterator[tuple[Path_, yaml.Node]]:
        words: set[str] = set()
        while not self.check_event(yaml.MappingEndEvent):
            word = _word(self.compose_node(None, None), words)
            if not self.check_event(yaml.SequenceStartEvent):
                yield (word,), self.compose_node(None, None)
                continue
            start: Any = self.get_event()
            index = 0
            while not self.check_event(yaml.SequenceEndEvent):
                yield (word, index), self.compose_node(None, None)
                index += 1
            self.get_event()
            if not index:
                yield (word,), yaml.SequenceNode(_LIST, [], start.start_mark)
        self.get_event()

    def compose_node(self, parent: yaml.Node | None, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise _at(self.peek_event(), ALIASES)
        return super().compose_node(parent, index)


def _parsed(text: str) -> tuple[Any, dict[Path_, int]]:
    _check_depth(text)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()  # composes once; aliases show as repeated nodes
        lines: dict[Path_, int] = {}
        if node is None:
            return None, lines
        _check(node, (), lines, set())
        return loader.construct_document(node), lines
    finally:
        loader.dispose()


def _check_depth(text: str) -> None:
    # First: PyYAML composes by recursion in C, which ends the process where it is too deep.
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _at(event, "nested too deep")


def _check(node: yaml.Node, path: Path_, lines: dict[Path_, int], seen: set[int]) -> None:
    if id(node) in seen:
        raise _at(node, ALIASES)
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _check(item, (*path, index), lines, seen)
    elif isinstance(node, yaml.MappingNode):
        for word, line, value in _entries(node):
            lines[(*path, word)] = line
            _check(value, (*path, word), lines, seen)


def _entries(node: yaml.MappingNode) -> Iterator[tuple[str, int, yaml.Node]]:
    words: set[str] = set()
    for key, value in node.value:
        yield _word(key, words), key.start_mark.line + 1, value


def _word(key: yaml.Node, words: set[str]) -> str:
    """Return a key of a mapping that holds `words` already, and add it to them."""
    if not isinstance(key, yaml.ScalarNode):
        raise _at(key, "a key is expected to be a word")
    word: str = key.value
    if word == "<<":
        raise _at(key, "merges (<<) are not supported")
    if key.tag != _TEXT:
        raise _at(key, f"key {word[:MAX_SHOWN]!r} is no text; put it in quotes")
    if word in words:
        raise _at(key, f"duplicate key {word[:MAX_SHOWN]}")
    words.add(word)
    return word


def _at(found: Any, problem: str) -> yaml.MarkedYAMLError:
    """Return the error for a node or an event."""
    return yaml.MarkedYAMLError(problem=problem, problem_mark=found.start_mark)


def _explained(error: yaml.MarkedYAMLError, text: bytes) -> DocumentError:
    problem, mark = error.problem or "not YAML", error.problem_mark
    if mark is None:
        return DocumentError(problem, None)
    line = text.decode("utf-8-sig").splitlines()[mark.line : mark.line + 1]
    if "\t" in "".join(line)[: mark.column + 1]:
        problem = "a tab cannot indent; use spaces"
    elif "constructor for the tag" in problem:
        problem = f"tag {problem.rpartition(' ')[2]} is not supported"
    return DocumentError(problem, mark.line + 1)


def _line_at(text: bytes, end: int | None) -> int:
    return text[:end].count(b"\n") + 1
