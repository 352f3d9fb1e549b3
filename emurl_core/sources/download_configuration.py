"""How a video is fetched and judged, in numbers."""

from pydantic import Field

from emurl_core.configuration import StageConfig


class DownloadConfig(StageConfig):
    """How a video is fetched and judged."""

    duration_tolerance: float = Field(0.01, ge=0)
    """A video whose length differs from the announced one by a larger share is refused as cut or swapped."""
    max_height_px: int = Field(720, ge=144)
    """The largest picture to fetch where a site offers several."""
    max_gigabytes: float = Field(20.0, gt=0)
    """A larger video is refused."""
    spacing_s: float = Field(10.0, ge=0)
    """Least seconds between two videos of one host, over all processes of this machine."""
    request_spacing_s: float = Field(0.75, ge=0)
    """Seconds between the requests that it takes to find a page's video."""
    per_host: int = Field(1, ge=1, le=8)
    """Videos of one host at once, over all processes of this machine."""
    timeout_s: float = Field(20.0, gt=0)
    """A server that says nothing for so long is asked again."""
    stall_s: float = Field(60.0, gt=0)
    """A transfer that moves less than 16 KiB in so long is given up."""
    try_minutes: float = Field(240.0, gt=0)
    """One try of one video takes no longer than this."""
    retries: int = Field(5, ge=0)
    """How often a broken transfer is taken up again without a new byte before the try fails."""
    retry_wait_s: float = Field(2.0, ge=0)
    """Seconds before that; doubles each time."""
    cookies_file: str = ""
    """Cookies of your own account in Netscape's format, for videos that ask for one. Only read, never written or kept. Mind the
    site's terms of use."""
    allow_private_hosts: bool = False
    """Ask hosts of this machine and of private networks too: for a mirror of your own. Links come from strangers."""
    keep_videos: bool = True
    """Keep a video file after its frames are out. Without it, a new way of cutting frames must fetch the video again."""
    megabits_per_second: float = Field(2.5, gt=0)
    """Guess of a video's bitrate, for the estimate before a scrape is fetched."""
    decode_every_frame: bool = False
    """Decode every frame of every video before it is believed, not keyframes only. Takes minutes for an hour of video."""
    retry: bool = False
    """Ask again now for what failed, also where that was found to be hopeless or is not due yet."""
