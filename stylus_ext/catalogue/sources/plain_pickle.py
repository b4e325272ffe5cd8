"""Reads a pickle of adapter records opcode by opcode, without executing anything.

Only the opcodes that a list of records needs are known, none that imports or calls. The one class
that may be named stands for a dictionary. Anything else refuses the whole file.
"""

from __future__ import annotations

import mmap
import pickletools
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from stylus_ext.core.errors import InvalidInput, reason_of
from stylus_ext.core.files import open_regular

RECORD_CLASSES = frozenset(
    {
        ("stylus.refiner.fetch_adapter_metadata", "AdapterInfo"),
        ("autoadapter.precompute.process_adapters", "AdapterInfo"),
    }
)
_PROTOCOLS = range(2, 6)
_TEXTS = {0x8C: 1, 0x58: 4, 0x8D: 8}
"""The opcodes of texts, and the size of their length field."""

_MAX_LINE_LENGTH = 256
MAX_STEPS = 250_000
MAX_BYTES = 32 * 1024 * 1024
_MAX_DEPTH = 32
_MAX_KEPT_TEXTS = 4096

Record = dict[str, Any]


class NotPlain(InvalidInput):
    """A pickle with more than plain records, or a damaged one."""


class _MappedFile(mmap.mmap):
    """A memory-mapped file, so that a false length allocates nothing; lines are short."""

    def readline(self) -> bytes:
        end = self.find(b"\n", self.tell(), self.tell() + _MAX_LINE_LENGTH)
        if end < 0:
            raise ValueError("a line without an end")
        return self.read(end + 1 - self.tell())


class _NewRecord:
    """An object of the record class before its state is set."""


_RECORD_CLASS, _RECORD_YIELDED = object(), object()
"""What is on the stack for the named class, and for a record that was yielded."""


def records(path: Path) -> Iterator[Record]:
    """Yields each record as soon as it is complete; raises `NotPlain` for other content."""
    try:
        with (
            open_regular(path) as file,
            _MappedFile(file.fileno(), 0, access=mmap.ACCESS_READ) as source,
        ):
            yield from _Unpickler(source, path.name).run()
    except (
        ValueError,
        OverflowError,
    ) as problem:  # an empty file cannot be mapped; pickletools finds a truncated one
        raise NotPlain(
            f"{path.name} is damaged or not a pickle of records: {reason_of(problem)}. Nothing in"
            " it was executed."
        ) from problem
    except OSError as problem:
        raise InvalidInput(f"{path} cannot be read: {problem.strerror or problem}.") from problem


class _Unpickler:
    """The stack and the memo of one pass over the file.

    Memory is bounded by one record: of memoized texts only the offsets are kept, of memoized lists
    those of the current record.
    """

    def __init__(self, source: _MappedFile, name: str) -> None:
        self._source, self._name = source, name
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._text_offsets = array("Q")
        self._memo: dict[int, Any] = {}
        self._texts: dict[int, str] = {}
        self._text_at = 0
        self._recalled_bytes = 0
        self._finished: Record | None = None
        self._handlers: dict[str, Callable[[Any, int], None]] = {
            "SHORT_BINUNICODE": self._text,
            "BINUNICODE": self._text,
            "BINUNICODE8": self._text,
            "MEMOIZE": self._memoize,
            "BINPUT": self._memoize_at,
            "LONG_BINPUT": self._memoize_at,
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
            "APPEND": lambda _arg, at: self._into_list([self._stack.pop()], at),
            "APPENDS": lambda _arg, at: self._into_list(self._above_mark(), at),
            "SETITEM": lambda _arg, at: self._into_dict(self._above(len(self._stack) - 2), at),
            "SETITEMS": lambda _arg, at: self._into_dict(self._above_mark(), at),
            "GLOBAL": self._global,
            "STACK_GLOBAL": self._stack_global,
            "NEWOBJ": self._new,
            "BUILD": self._build,
            "FRAME": lambda _arg, _at: None,
        }

    def run(self) -> Iterator[Record]:
        handlers, number, began, count, at = self._handlers, 0, 0, 0, 0
        for opcode, argument, position in pickletools.genops(cast(IO[bytes], self._source)):
            at, number = position or 0, number + 1
            if at == 0:
                if opcode.name != "PROTO" or argument not in _PROTOCOLS:
                    raise NotPlain(f"{self._name} is not a pickle of protocol 2 to 5.")
                continue
            if opcode.name == "STOP":
                break
            handler = handlers.get(opcode.name)
            if handler is None:
                self._refuse(f"it uses {opcode.name}", at)
            try:
                handler(argument, at)
            except (IndexError, AttributeError, TypeError) as problem:
                raise NotPlain(self._message("its steps do not fit together", at)) from problem
            if self._finished is not None:
                yield self._finished
                self._forget()
                count, number, began = count + 1, 0, at
            elif number > MAX_STEPS or at - began > MAX_BYTES or self._recalled_bytes > MAX_BYTES:
                self._refuse("one record is larger than any record is", at)
        self._end(count, at)

    def _end(self, count: int, at: int) -> None:
        whole = len(self._stack) == 1 and type(self._stack[0]) is list and not self._marks
        if (
            not whole
            or len(self._stack[0]) != count
            or any(item is not _RECORD_YIELDED for item in self._stack[0])
        ):
            self._refuse("it is not a list of records", at)
        if self._source.tell() != len(self._source):
            self._refuse("data follows after its end", at)

    def _forget(self) -> None:
        """Records share nothing but texts."""
        self._finished, self._recalled_bytes = None, 0
        self._memo = {index: value for index, value in self._memo.items() if value is _RECORD_CLASS}
        if len(self._texts) > _MAX_KEPT_TEXTS:
            self._texts.clear()

    def _message(self, what: str, at: int) -> str:
        return f"{self._name} was refused: {what} (at byte {at:,}). Nothing in it was executed."

    def _refuse(self, what: str, at: int) -> NoReturn:
        raise NotPlain(self._message(what, at))

    def _text(self, argument: str, at: int) -> None:
        self._stack.append(argument)
        self._text_at = at

    def _push(self, argument: Any, _at: int) -> None:
        self._stack.append(argument)

    def _memoize(self, _argument: Any, _at: int) -> None:
        top = self._stack[-1]
        if type(top) is str:
            self._text_offsets.append(self._text_at)
        else:
            self._memo[len(self._text_offsets)] = top
            self._text_offsets.append(0)

    def _memoize_at(self, index: int, at: int) -> None:
        if index != len(self._text_offsets):
            self._refuse("it memoizes values out of order", at)
        self._memoize(None, at)

    def _recall(self, index: int, at: int) -> None:
        if index in self._memo:
            self._stack.append(self._memo[index])
            return
        if index >= len(self._text_offsets) or not self._text_offsets[index]:
            self._refuse("it shares a list between records, or recalls an unknown value", at)
        self._text_at = self._text_offsets[index]
        if index not in self._texts:
            self._texts[index] = self._reread_text(self._text_at)
            self._recalled_bytes += len(self._texts[index])
        self._stack.append(self._texts[index])

    def _reread_text(self, at: int) -> str:
        """The text at this offset, which was checked when it was first read."""
        begin = at + 1 + _TEXTS[self._source[at]]
        length = int.from_bytes(self._source[at + 1 : begin], "little")
        return self._source[begin : begin + length].decode("utf-8", "surrogatepass")

    def _mark(self, _argument: Any, at: int) -> None:
        if len(self._marks) >= _MAX_DEPTH:
            self._refuse("it is nested deeper than any record is", at)
        self._marks.append(len(self._stack))

    def _above_mark(self) -> list[Any]:
        return self._above(self._marks.pop())

    def _above(self, begin: int) -> list[Any]:
        items = self._stack[max(0, begin) :]
        del self._stack[max(0, begin) :]
        return items

    def _into_list(self, items: list[Any], at: int) -> None:
        if type(self._stack[-1]) is not list:
            self._refuse("it appends to a value that is not a list", at)
        self._stack[-1].extend(items)

    def _into_dict(self, items: list[Any], at: int) -> None:
        names = items[::2]
        if (
            type(self._stack[-1]) is not dict
            or len(items) % 2
            or any(type(name) is not str for name in names)
        ):
            self._refuse("it sets an item without a name", at)
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
        self._stack.append(_RECORD_CLASS)

    def _new(self, _argument: Any, at: int) -> None:
        arguments, kind = self._stack.pop(), self._stack.pop()
        if kind is not _RECORD_CLASS or arguments != ():
            self._refuse("it makes an object of something else", at)
        self._stack.append(_NewRecord())

    def _build(self, _argument: Any, at: int) -> None:
        state, target = self._stack.pop(), self._stack.pop()
        if type(target) is not _NewRecord or type(state) is not dict:
            self._refuse("it sets the state of something else", at)
        self._finished = state
        self._stack.append(_RECORD_YIELDED)
