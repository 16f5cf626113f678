"""The least a tracker server can do, as a baseline: on uvloop, answer every GT02 heartbeat and store nothing.

``python -m tests.bench.echo`` prints its port and serves until it is killed.
"""

from __future__ import annotations

import asyncio
from typing import cast

import uvloop

from adapters.gt02_tracker import gt02
from app.platform import raise_open_files_limit

_TYPE_AT = 15


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        while len(data) > _TYPE_AT:
            if data[_TYPE_AT] == gt02.HEARTBEAT:
                self.transport.write(gt02.HEARTBEAT_REPLY)
            data = data[data[2] + 5 :]


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    raise_open_files_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
