"""A collector of syslog over TLS (RFC 5425), to try `brightline audit forward` with: each message becomes a line.

Example: `python collector.py --addr 127.0.0.1:6514 server.pem server.key collected.log`
"""

import argparse
import asyncio
import ssl
from pathlib import Path


async def main() -> None:
    """Receive messages until the program is stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--addr", required=True, help="host:port to listen on")
    parser.add_argument("certificate", type=Path)
    parser.add_argument("key", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(given.certificate, given.key)

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with given.out.open("ab") as out:
            try:
                while True:
                    length = await reader.readuntil(b" ")  # its length and a space precede each message
                    out.write(await reader.readexactly(int(length)) + b"\n")
                    out.flush()
            except asyncio.IncompleteReadError:
                writer.close()

    host, _, port = given.addr.rpartition(":")
    server = await asyncio.start_server(collect, host, int(port), ssl=tls)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
