"""A Ray cluster, when this process is a job on one: emulator workers and videos are then spread over its machines.

Ray is an optional package (`pip install 'emurl[ray]'`) and is imported only when asked for. Every machine of the cluster needs
EmuRL, the data folder, the working folder and the ROM under the same paths: a shared disk. Who plays there is in
`emurl_core.game.ray_crew`, who cuts in `emurl_core.frames.ray_parallel`.
"""

import sys


def join() -> None:
    """Become a part of the cluster that this process was started on (`RAY_ADDRESS`, which Ray's jobs are told), or the local one.

    Raises ValueError when there is none, or Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ValueError(
            "found no package 'ray', expected it; install it with `pip install 'emurl[ray]'`"
        ) from error
    try:
        ray.init(address="auto", log_to_driver=True, ignore_reinit_error=True)
    except ConnectionError as error:
        raise ValueError(
            f"found no Ray cluster ({error}), expected one; start it with `ray start --head`"
        ) from error


def joined() -> bool:
    """Whether this process is part of a cluster."""
    # Without importing it: most processes never need Ray.
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def leave() -> None:
    """Have nothing to do with the cluster any more."""
    if joined():
        import ray

        ray.shutdown()
