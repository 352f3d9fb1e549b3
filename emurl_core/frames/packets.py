"""Which packets of a video must be decoded to see frames at chosen times. Nothing is decoded here.

Packets come in decoding order; what a viewer sees first may come later. `decode` does the decoding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av

_LONGEST_GROUP = 1200
_SLICES = range(1, 6)
_START_CODE = b"\0\0\1"


@dataclass(frozen=True)
class Group:
    """Packets from one keyframe to before the next.

    Attributes:
        packets: in decoding order, each with a presentation time.
        ahead: presentation times of later packets that are shown before the last of these.
        ends: nothing after it refers back into it: it may be decoded as if it were a file of its own.
    """

    packets: list[av.Packet]
    ahead: list[int]
    ends: bool


class MissingTimesError(ValueError):
    """A container gives packets no presentation time: only decoding tells when they are shown."""


def groups(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[Group]:
    """The packets of a stream from where the container stands. Raises MissingTimesError."""
    held: list[av.Packet] = []
    group: list[av.Packet] = []
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        if packet.pts is None:
            raise MissingTimesError(
                "found a packet without presentation time, expected one in each; decode all of them"
            )
        # A file with one keyframe an hour would pile up: it is handed on in pieces.
        if group and (packet.is_keyframe or len(group) >= _LONGEST_GROUP):
            if held:
                yield _group(held, group)
            held, group = group, []
        group.append(packet)
    if held:
        yield _group(held, group)
    if group:
        yield _group(group, [])


def _group(packets: list[av.Packet], behind: Sequence[av.Packet]) -> Group:
    if not behind:
        return Group(packets, [], True)
    last = max(_times(packets))
    key = behind[0]
    # Pictures shown before their own keyframe lean on the group before it ("open GOP").
    ends = key.is_keyframe and all(t >= _times([key])[0] for t in _times(behind))
    return Group(packets, [t for t in _times(behind) if t < last], ends)


def _times(packets: Sequence[av.Packet]) -> list[int]:
    return [p.pts for p in packets if p.pts is not None]


class Chooser:
    """Picks the first frame shown at or after each tick.

    Args:
        first_s, interval_s, end_s: the ticks, in seconds.
        base: seconds of one unit of presentation time.
    """

    def __init__(self, first_s: float, interval_s: float, end_s: float, base: float) -> None:
        self.tick, self.interval, self.end, self.base = first_s, interval_s, end_s, base

    def choose(self, stamps: Sequence[int]) -> list[int]:
        """Those of these presentation times that are wanted. Calls go forward in time and do not overlap."""
        wanted = []
        for pts in sorted(stamps):
            time = pts * self.base
            if time >= self.tick - 1e-6 and time <= self.end:
                wanted.append(pts)
                passed = int((time - self.tick + 1e-6) / self.interval) + 1
                self.tick += passed * self.interval
        return wanted


class Cheaper:
    """Swaps wanted frames that nothing refers to for a neighbour that is decoded anyway: at most one frame off."""

    def __init__(self, codec: av.VideoCodecContext) -> None:
        self._h264 = codec.name == "h264"
        extra = codec.extradata or b""
        # With an avcC header each unit begins with its length, otherwise with a start code.
        self._length_bytes = (extra[4] & 3) + 1 if len(extra) > 4 and extra[0] == 1 else 0

    def swap(self, wanted: Sequence[int], packets: Sequence[av.Packet]) -> list[int]:
        """The presentation times to take instead, in the same order."""
        if not self._h264:
            return list(wanted)
        shown = sorted(packets, key=lambda p: p.pts or 0)
        place = {p.pts: i for i, p in enumerate(shown)}
        taken = set(wanted)
        chosen = []
        for pts in wanted:
            i = place.get(pts)
            if i is not None and not self._referred_to(shown[i]):
                for neighbour in shown[i + 1 : i + 2] + shown[max(0, i - 1) : i]:
                    if neighbour.pts not in taken and self._referred_to(neighbour):
                        assert neighbour.pts is not None
                        pts = neighbour.pts
                        break
            taken.add(pts)
            chosen.append(pts)
        return chosen

    def _referred_to(self, packet: av.Packet) -> bool:
        """What `nal_ref_idc` of its first slice says (H.264, 7.4.1); yes where there is none."""
        unit = memoryview(packet)
        at = 0
        if not self._length_bytes:
            data = bytes(unit)
            while (at := data.find(_START_CODE, at) + 3) > 2 and at < len(data):
                if data[at] & 31 in _SLICES:
                    return bool(data[at] & 96)
            return True
        while at + self._length_bytes < len(unit):
            header = unit[at + self._length_bytes]
            if header & 31 in _SLICES:
                return bool(header & 96)
            at += self._length_bytes + int.from_bytes(unit[at : at + self._length_bytes], "big")
        return True
