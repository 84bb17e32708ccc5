"""A stand-in for a QuPath that runs with its Py4J gateway: it speaks the gateway's protocol on a port of its own.

What the protocol is was read off py4j's client, which the tests use as it is; what QuPath's objects answer, off the
sources of QuPath 0.6 and of its Py4J extension.
"""

# ruff: noqa: N802, N815  names of Java

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import unquote

_ESCAPES = (("\\", "\\\\"), ("\r", "\\r"), ("\n", "\\n"))


class Class:
    """A class of Java, by name, and what it extends."""

    def __init__(self, *chain: str) -> None:
        self.chain = chain

    def getSimpleName(self) -> str:
        return self.chain[0]

    def getSuperclass(self) -> Class | None:
        return Class(*self.chain[1:]) if len(self.chain) > 1 else None


class Named:
    """Whatever has a name, and a URI."""

    def __init__(self, name: str) -> None:
        self.name = name

    def getName(self) -> str:
        return self.name

    def toString(self) -> str:
        return self.name


class FakeQuPath:
    """The entry point, QuPath, its image, the hierarchy and the selection, in one: methods have the names they have.

    Parameters
    ----------
    uri, shape
        Of the image that is open; None: none is.
    """

    def __init__(self, uri: str | None, shape: tuple[int, int] = (0, 0), classes: tuple[str, ...] = ("Any",)) -> None:
        self.uris, self.shape, self.classes = [uri] if uri else [], shape, classes
        self.objects: list[dict[str, Any]] = []
        self.selected: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.raw: str | None = None

    def getQuPath(self) -> FakeQuPath:
        return self

    def getImageData(self) -> FakeQuPath | None:
        return self if self.uris else None

    getServer = getHierarchy = getSelectionModel = getQuPath

    def getMetadata(self) -> Named:
        return Named(unquote(self.uris[0].rpartition("/")[2]))

    def getClass(self) -> Class:
        return Class(*self.classes)

    def getURIs(self) -> list[Named]:
        return [Named(uri) for uri in self.uris]

    def getHeight(self) -> int:
        return self.shape[0]

    def getWidth(self) -> int:
        return self.shape[1]

    def getSelectedObjects(self) -> list[dict[str, Any]]:
        return self.selected

    def getAllObjects(self, _root: bool) -> list[dict[str, Any]]:
        return self.objects

    def getObjectIds(self, objects: list[dict[str, Any]]) -> Named:
        return Named(f"[{', '.join(one['id'] for one in objects)}]")

    def toFeatureCollections(self, objects: list[dict[str, Any]], size: int) -> list[str]:
        if self.raw is not None:
            return [self.raw]
        parts = [objects[at : at + size] for at in range(0, len(objects), size)]
        return [json.dumps({"type": "FeatureCollection", "features": part}) for part in parts]

    def toPathObjects(self, text: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(text)
        return found

    def addObjects(self, objects: list[dict[str, Any]]) -> bool:
        self.objects += objects
        return True

    def removeObjectWithoutUpdate(self, one: dict[str, Any], keep_children: bool) -> bool:
        assert keep_children
        self.objects = [other for other in self.objects if other is not one]
        return True

    def resolveHierarchy(self) -> None:
        self.calls.append("resolveHierarchy")

    def fireHierarchyUpdate(self) -> None:
        self.calls.append("fireHierarchyUpdate")


class Gateway:
    """What a gateway knows: its objects by number, and how they are called and told of in the protocol.

    Parameters
    ----------
    entry : object
        The entry point.
    """

    def __init__(self, entry: Any) -> None:
        self.objects: dict[str, Any] = {"t": entry}

    def answer(self, parts: list[str]) -> str:
        """Call a method: target, name and arguments, as they came."""
        target, method, *arguments = parts
        try:
            return self.told(self.called(self.objects[target], method, [self.meant(one) for one in arguments]))
        except (StopIteration, AttributeError, KeyError, TypeError, ValueError) as error:
            return f"xs{type(error).__name__}"

    def told(self, value: Any) -> str:
        if value is None:
            return "yn"
        for kind, letter in ((bool, "b"), (int, "i"), (str, "s")):
            if isinstance(value, kind):
                text = str(value)
                for one, other in _ESCAPES:
                    text = text.replace(one, other)
                return f"y{letter}{text}"
        self.objects[name := f"o{len(self.objects)}"] = value
        letters = {list: "l", tuple: "t"}
        return f"y{letters.get(type(value), 'g' if hasattr(value, '__next__') else 'r')}{name}"

    def of_array(self, what: str, target: str, *index: str) -> str:
        """Tell how long an array is, or one of its items."""
        array = self.objects[target]
        return self.told(len(array) if what == "e" else array[self.meant(index[0])])

    def meant(self, part: str) -> Any:
        kind, value = part[0], part[1:]
        if kind == "s":
            for one, other in _ESCAPES[1:]:
                value = re.sub(rf"(?<!\\)((?:\\\\)*){re.escape(other)}", lambda found, one=one: found[1] + one, value)
            return value.replace("\\\\", "\\")
        return {"r": self.objects.get, "i": int, "b": lambda text: text.casefold() == "true"}[kind](value)

    def called(self, target: Any, method: str, arguments: list[Any]) -> Any:
        if isinstance(target, list):
            own = {
                "size": lambda: len(target),
                "iterator": lambda: iter(target),
                "get": target.__getitem__,
                "toArray": lambda: tuple(target),
            }
            return own[method](*arguments)
        return next(target) if method == "next" else getattr(target, method)(*arguments)


@contextmanager
def running(qupath: FakeQuPath, token: str | None = None) -> Iterator[int]:
    """Serve a QuPath, and give the port."""
    gateway = Gateway(qupath)

    class Handler(socketserver.StreamRequestHandler):
        def line(self) -> str:
            return self.rfile.readline().decode().rstrip("\n")

        def handle(self) -> None:
            # A client that was refused leaves without a word.
            with suppress(ConnectionError):
                self.serve(known=token is None)

        def serve(self, *, known: bool) -> None:
            while command := self.line():
                if command == "A":
                    known = self.line() == token
                    said = "yv" if known else "xsno"
                else:
                    # Of an array what is asked comes first, and may be the letter that ends all else.
                    asked = [self.line()] if command == "a" else []
                    parts = [*asked, *iter(self.line, "e")]
                    answers = {"c": gateway.answer, "a": lambda parts: gateway.of_array(*parts)}
                    said = answers.get(command, lambda _parts: "yv")(parts)
                    said = said if known else "xsAuthentication error: unexpected command."
                self.wfile.write(f"!{said}\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
