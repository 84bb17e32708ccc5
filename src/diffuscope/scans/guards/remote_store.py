"""An OME-Zarr on the net as zarr reads it: by addresses below the one given, bounded in bytes and in time."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any, Literal

import zarr
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype

from diffuscope.errors import InputError
from diffuscope.scans.guards.zarr_chunks import Declarations

#: Seconds to reach a server, and in which it must have sent what was asked for.
CONNECT, WHOLE = 10.0, 60.0
# Of an answer, read at a time.
_BLOCK = 2**16
# Seconds that what is still asked for at the end has left.
_LAST = 1.0


class RemoteStore(Store):
    """Files below an address; read only, no list of them.

    Redirections are not followed, and of S3 only what everybody may read is asked for.

    Parameters
    ----------
    address : str
        ``https://…``, ``http://…`` or ``s3://bucket/…``, without an end slash.
    """

    def __init__(self, address: str) -> None:
        super().__init__(read_only=True)
        self._address, self._name = address, address.rpartition("/")[2]
        self._declared = Declarations(self._name)
        self._system: Any = None
        self._asked: set[asyncio.Task[Any]] = set()

    def declare(self, array: zarr.Array[Any]) -> None:
        """Hold the chunks of an array to what it declares (see `Declarations`)."""
        self._declared.declare(array)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteStore) and other._address == self._address

    def __hash__(self) -> int:
        return hash(self._address)

    @property
    def supports_writes(self) -> bool:
        """As of a store."""
        return False

    @property
    def supports_deletes(self) -> bool:
        """As of a store."""
        return False

    @property
    def supports_partial_writes(self) -> Literal[False]:
        """As of a store."""
        return False

    @property
    def supports_listing(self) -> bool:
        """As of a store."""
        return False

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """As of a store; refused is what is too large, or does not come in time."""
        if ".." in key.split("/"):
            raise InputError(f"{self._name} names a part outside of it ({key[:80]!r}), which is not followed.")
        if task := asyncio.current_task():
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)
        most = self._declared.most(key)
        start, stop = 0, most + 1
        if isinstance(byte_range, RangeByteRequest):
            start, stop = byte_range.start, byte_range.end
        elif isinstance(byte_range, OffsetByteRequest):
            start, stop = byte_range.offset, byte_range.offset + most + 1
        elif isinstance(byte_range, SuffixByteRequest):
            start, stop = -byte_range.suffix, 0
        try:
            async with asyncio.timeout(WHOLE):
                data = await self._read(f"{self._address}/{key}", start, stop)
        except InputError:
            raise
        except Exception as error:  # aiohttp, botocore and the system have errors of their own
            why = "it does not answer" if isinstance(error, TimeoutError) else f"{type(error).__name__}"
            raise InputError(
                f"{self._name} cannot be read from the net ({why}): look at the address and the connection."
            ) from error
        if data is None:
            return None
        if len(data) > most:
            raise self._declared.too_large(f"{key} has more than {most} bytes")
        found = (prototype or default_buffer_prototype()).buffer.from_bytes(data)
        return self._declared.look(key, found, byte_range)

    async def _read(self, address: str, start: int, stop: int) -> bytes | None:
        """Return bytes [start, stop) of a file, or its last ones where `start` is below 0; None where there is none."""
        system = await self._opened()
        if address.startswith("s3://"):
            try:
                return bytes(await system._cat_file(address, start=start, end=stop if start >= 0 else None))  # noqa: SLF001  fsspec's way without its own thread
            except (FileNotFoundError, PermissionError):
                return None
        wanted = f"bytes={start}-{stop - 1}" if start >= 0 else f"bytes={start}"
        async with system.get(address, headers={"Range": wanted}, allow_redirects=False) as answer:
            if answer.status in (403, 404, 416):
                return None
            if answer.status not in (200, 206):
                raise InputError(f"{self._name} cannot be read from the net: the server answers {answer.status}.")
            most = abs(start) if start < 0 else stop - start
            # A server that knows no ranges sends all.
            skipped = 0 if answer.status == 206 or start < 0 else start
            held = bytearray()
            async for block in answer.content.iter_chunked(_BLOCK):
                held += block
                if start < 0 and answer.status == 200:
                    if len(held) > self._declared.most(""):
                        raise self._declared.too_large("the server sends all of a shard")
                elif len(held) >= skipped + most:
                    break
            data = bytes(held)
            return data[start:] if start < 0 else data[skipped : skipped + most]

    async def _opened(self) -> Any:
        """Return fsspec's file system of S3, or a session of the web; made in the loop that asks for it."""
        if self._system is None:
            session = None
            if self._address.startswith("s3://"):
                import fsspec

                limits = {"connect_timeout": CONNECT, "read_timeout": WHOLE, "retries": {"max_attempts": 2}}
                self._system = fsspec.filesystem("s3", asynchronous=True, anon=True, config_kwargs=limits)
            else:
                from aiohttp import ClientSession, ClientTimeout

                limit = ClientTimeout(total=WHOLE, connect=CONNECT)
                self._system = session = ClientSession(timeout=limit, trust_env=True)
            # What is left open at the end of the program is told to the terminal.
            weakref.finalize(self, _close, session, self._asked, asyncio.get_running_loop())
        return self._system

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """As of a store, each by `get`."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """As of a store."""
        return await self.get(key) is not None

    async def set(self, key: str, value: Buffer) -> None:
        """As of a store that cannot."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """As of a store that cannot."""
        raise NotImplementedError

    async def _nothing(self) -> AsyncIterator[str]:
        nothing: tuple[str, ...] = ()
        for key in nothing:
            yield key

    def list(self) -> AsyncIterator[str]:
        """As of a store that cannot: nothing."""
        return self._nothing()

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:  # noqa: ARG002  as above
        """As of a store that cannot: nothing."""
        return self._nothing()

    def list_dir(self, prefix: str) -> AsyncIterator[str]:  # noqa: ARG002  as above
        """As of a store that cannot: nothing."""
        return self._nothing()


async def _end(session: Any, asked: set[asyncio.Task[Any]]) -> None:
    if asked:
        _, late = await asyncio.wait(asked, timeout=_LAST)
        for one in late:
            one.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    if session is not None:
        await session.close()


def _close(session: Any, asked: set[asyncio.Task[Any]], loop: asyncio.AbstractEventLoop) -> None:
    """End what is still asked for, as zarr asks for several files at once and leaves at the first error."""
    if not loop.is_running():
        return
    ended = asyncio.run_coroutine_threadsafe(_end(session, asked), loop)
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # not in the loop, which could not go on then
        with suppress(Exception):
            ended.result(2 * _LAST)
