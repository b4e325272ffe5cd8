"""A pickle of adapter records, read as a list of steps and never executed: bytes go in, one plain
dictionary a record comes out.

Of a pickle's language this knows what a list of records needs and nothing that names, imports or
calls anything. The one class that may be named stands for a dictionary here. Whatever else comes
refuses the whole file.
"""

from __future__ import annotations

import mmap
import pickletools
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from stylus_ext.core.errors import InvalidInput

RECORD_CLASSES = frozenset(
    {
        ("stylus.refiner.fetch_adapter_metadata", "AdapterInfo"),
        ("autoadapter.precompute.process_adapters", "AdapterInfo"),
    }
)
_PROTOCOLS = range(2, 6)
_TEXTS = {0x8C: 1, 0x58: 4, 0x8D: 8}
"""The opcodes of texts, and the bytes that say how long each is."""

_LONGEST_LINE = 256
_MOST_STEPS = 250_000
_MOST_BYTES = 32 * 1024 * 1024
_DEEPEST = 32
_KEPT_TEXTS = 4096

Record = dict[str, Any]


class NotPlain(InvalidInput):
    """The file asks for more than plain records, or is damaged."""


class _Mapped(mmap.mmap):
    """A read beyond the end gives what there is, whatever length was claimed; a line is short or is
    none.
    """

    def readline(self) -> bytes:
        end = self.find(b"\n", self.tell(), self.tell() + _LONGEST_LINE)
        if end < 0:
            raise ValueError("a line without an end")
        return self.read(end + 1 - self.tell())


class _Class:
    """Stands on the stack for the class that was named."""


class _Empty:
    """An object of that class before its state is known."""


class _Done:
    """A record that was handed out: only its place in the list is left."""


_CLASS, _DONE = _Class(), _Done()


def records(path: Path) -> Iterator[Record]:
    """Each record as it is complete, in the order of the list; `NotPlain` where the file turns out
    to be something else.
    """
    try:
        with path.open("rb") as file, _Mapped(file.fileno(), 0, access=mmap.ACCESS_READ) as source:
            yield from _Machine(source, path.name).run()
    except (
        ValueError,
        OverflowError,
    ) as problem:  # an empty file cannot be mapped; pickletools finds a truncated one
        raise NotPlain(
            f"{path.name} is damaged or not a pickle of records: {problem}. Nothing in it was"
            " executed."
        ) from problem
    except OSError as problem:
        raise InvalidInput(f"{path} cannot be read: {problem.strerror or problem}.") from problem


class _Machine:
    """The stack of one reading. Memory stays that of one record, whatever the length of the file:
    of remembered texts it keeps where they stand, of remembered lists those of the record in work.
    """

    def __init__(self, source: _Mapped, name: str) -> None:
        self._source, self._name = source, name
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._places = array("Q")
        self._things: dict[int, Any] = {}
        self._texts: dict[int, str] = {}
        self._text_at = 0
        self._recalled = 0
        self._finished: Record | None = None
        self._steps: dict[str, Callable[[Any, int], None]] = {
            "SHORT_BINUNICODE": self._text,
            "BINUNICODE": self._text,
            "BINUNICODE8": self._text,
            "MEMOIZE": self._remember,
            "BINPUT": self._remember_as,
            "LONG_BINPUT": self._remember_as,
            "BINGET": self._recall,
            "LONG_BINGET": self._recall,
            "BININT": self._push,
            "BININT1": self._push,
            "BININT2": self._push,
            "LONG1": self._push,
            "BINFLOAT": self._push,
            "NONE": lambda _arg, _at: self._stack.append(None),
            "NEWTRUE": lambda _arg, _at: self._stack.append(True),
            "NEWFALSE": lambda _arg, _at: self._stack.append(False),
            "EMPTY_LIST": lambda _arg, _at: self._stack.append([]),
            "EMPTY_DICT": lambda _arg, _at: self._stack.append({}),
            "EMPTY_TUPLE": lambda _arg, _at: self._stack.append(()),
            "MARK": self._mark,
            "APPEND": self._append,
            "APPENDS": self._appends,
            "SETITEM": self._set_item,
            "SETITEMS": self._set_items,
            "GLOBAL": self._global,
            "STACK_GLOBAL": self._stack_global,
            "NEWOBJ": self._new,
            "BUILD": self._build,
            "FRAME": lambda _arg, _at: None,
        }

    def run(self) -> Iterator[Record]:
        steps, number, began, count, at = self._steps, 0, 0, 0, 0
        for opcode, argument, position in pickletools.genops(cast(IO[bytes], self._source)):
            at, number = position or 0, number + 1
            if at == 0:
                if opcode.name != "PROTO" or argument not in _PROTOCOLS:
                    raise NotPlain(
                        f"{self._name} is no pickle of protocol 2 to 5, as the published one is."
                    )
                continue
            if opcode.name == "STOP":
                break
            step = steps.get(opcode.name)
            if step is None:
                self._refuse(f"it uses {opcode.name}", at)
            try:
                step(argument, at)
            except (IndexError, AttributeError, TypeError) as problem:
                raise NotPlain(self._sentence("its steps do not fit together", at)) from problem
            if self._finished is not None:
                yield self._finished
                self._forget()
                count, number, began = count + 1, 0, at
            elif number > _MOST_STEPS or at - began > _MOST_BYTES or self._recalled > _MOST_BYTES:
                self._refuse("one record is larger than any record is", at)
        self._end(count, at)

    def _end(self, count: int, at: int) -> None:
        whole = len(self._stack) == 1 and type(self._stack[0]) is list and not self._marks
        if (
            not whole
            or len(self._stack[0]) != count
            or any(item is not _DONE for item in self._stack[0])
        ):
            self._refuse("it is not a list of records", at)
        if self._source.tell() != len(self._source):
            self._refuse("something follows behind its end", at)

    def _forget(self) -> None:
        """Nothing of one record is shared with another but texts."""
        self._finished, self._recalled = None, 0
        self._things = {place: thing for place, thing in self._things.items() if thing is _CLASS}
        if len(self._texts) > _KEPT_TEXTS:
            self._texts.clear()

    def _sentence(self, what: str, at: int) -> str:
        return (
            f"{self._name} is not read: {what} (at byte {at:,}), which plain records do not."
            " Nothing in it was executed."
        )

    def _refuse(self, what: str, at: int) -> NoReturn:
        raise NotPlain(self._sentence(what, at))

    def _text(self, argument: str, at: int) -> None:
        self._stack.append(argument)
        self._text_at = at

    def _push(self, argument: Any, _at: int) -> None:
        self._stack.append(argument)

    def _remember(self, _argument: Any, _at: int) -> None:
        top = self._stack[-1]
        if type(top) is str:
            self._places.append(self._text_at)
        else:
            self._things[len(self._places)] = top
            self._places.append(0)

    def _remember_as(self, place: int, at: int) -> None:
        if place != len(self._places):
            self._refuse("it remembers things out of order", at)
        self._remember(None, at)

    def _recall(self, place: int, at: int) -> None:
        if place in self._things:
            self._stack.append(self._things[place])
            return
        if place >= len(self._places) or not self._places[place]:
            self._refuse("it shares a list between records, or recalls what it never said", at)
        self._text_at = self._places[place]
        if place not in self._texts:
            self._texts[place] = self._read_again(self._text_at)
            self._recalled += len(self._texts[place])
        self._stack.append(self._texts[place])

    def _read_again(self, at: int) -> str:
        """A text that stood here once; it was read whole then."""
        begin = at + 1 + _TEXTS[self._source[at]]
        length = int.from_bytes(self._source[at + 1 : begin], "little")
        return self._source[begin : begin + length].decode("utf-8", "surrogatepass")

    def _mark(self, _argument: Any, at: int) -> None:
        if len(self._marks) >= _DEEPEST:
            self._refuse("it is nested deeper than any record is", at)
        self._marks.append(len(self._stack))

    def _above_mark(self) -> list[Any]:
        begin = self._marks.pop()
        items = self._stack[begin:]
        del self._stack[begin:]
        return items

    def _append(self, _argument: Any, at: int) -> None:
        self._into_list([self._stack.pop()], at)

    def _appends(self, _argument: Any, at: int) -> None:
        self._into_list(self._above_mark(), at)

    def _into_list(self, items: list[Any], at: int) -> None:
        if type(self._stack[-1]) is not list:
            self._refuse("it appends to something that is no list", at)
        self._stack[-1].extend(items)

    def _set_item(self, _argument: Any, at: int) -> None:
        value = self._stack.pop()
        self._into_dict([self._stack.pop(), value], at)

    def _set_items(self, _argument: Any, at: int) -> None:
        self._into_dict(self._above_mark(), at)

    def _into_dict(self, items: list[Any], at: int) -> None:
        names = items[::2]
        if (
            type(self._stack[-1]) is not dict
            or len(items) % 2
            or any(type(name) is not str for name in names)
        ):
            self._refuse("it sets what has no name", at)
        self._stack[-1].update(zip(names, items[1::2], strict=True))

    def _global(self, argument: str, at: int) -> None:
        module, _, name = argument.partition(" ")
        self._class(module, name, at)

    def _stack_global(self, _argument: Any, at: int) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._class(module, name, at)

    def _class(self, module: Any, name: Any, at: int) -> None:
        if (module, name) not in RECORD_CLASSES:
            self._refuse(f"it names {str(module)[:60]}.{str(name)[:60]}", at)
        self._stack.append(_CLASS)

    def _new(self, _argument: Any, at: int) -> None:
        arguments, kind = self._stack.pop(), self._stack.pop()
        if kind is not _CLASS or arguments != ():
            self._refuse("it makes an object of something else", at)
        self._stack.append(_Empty())

    def _build(self, _argument: Any, at: int) -> None:
        state, target = self._stack.pop(), self._stack.pop()
        if type(target) is not _Empty or type(state) is not dict:
            self._refuse("it sets the state of something else", at)
        self._finished = state
        self._stack.append(_DONE)
