"""What players are called and coloured in pictures and on pages."""

from emurl_core.evaluation.players import EARLIER

_COLOURS = {
    "stochastic": "#1f77b4",
    "greedy": "#2ca02c",
    "random": "#999999",
    "fixed": "#d8a35c",
    "scripted": "#8c5fa8",
}
_LABELS = {
    "stochastic": "agent, drawing",
    "greedy": "agent, greedy",
    "random": "random buttons",
    "fixed": "always A",
    "scripted": "scripted, knows the game",
}
_EARLIER_COLOURS = ("#b4511f", "#c98a9b", "#7a9a3a", "#5f8f8c", "#a08040")


def label_of(player: str) -> str:
    """A few words for people."""
    return _LABELS.get(player) or f"earlier policy {player.removeprefix(EARLIER)}"


def colour_of(player: str) -> str:
    """The same for the same player in every picture."""
    if player in _COLOURS:
        return _COLOURS[player]
    return _EARLIER_COLOURS[sum(player.encode()) % len(_EARLIER_COLOURS)]
