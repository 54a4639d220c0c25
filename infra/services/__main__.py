"""A local stack for developers: ``python -m infra.services``."""

import argparse
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from infra.services import S3, Postgres, Redis


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Starts all servers, prints their URLs and waits for Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m infra.services", description=main.__doc__)
    parser.add_argument(
        "--folder", type=Path, help="keep the data here (default: a temporary folder)"
    )
    chosen: Path | None = parser.parse_args().folder
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as running:
        try:
            folder = chosen or Path(
                running.enter_context(tempfile.TemporaryDirectory(prefix="geogaze-"))
            )
            redis = running.enter_context(Redis(folder / "redis", appendonly=True))
            postgres = running.enter_context(Postgres(folder / "postgres"))
            s3 = running.enter_context(S3(folder / "s3"))
            print(f"export GEOGAZE_TEST_REDIS_URL='{redis.url}'")
            print(f"export GEOGAZE_TEST_DATABASE_URL='{postgres.url}'")
            print(f"export GEOGAZE_TEST_S3_URL='{s3.url}'")
            print("# running until Ctrl-C", flush=True)
            signal.pause()
        except KeyboardInterrupt:
            print("# stopping", flush=True)


if __name__ == "__main__":
    main()
