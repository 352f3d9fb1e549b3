"""`emurl`: every stage from the command line, with the defaults of a profile.

The options of a command are the fields of its configuration class, which Dagster's run config comes from too. Commands
of other packages join through the entry-point group `emurl.commands`.
"""

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Annotated, Any, Union

import tyro

from emurl_core import commands
from emurl_core.artifacts import ArtifactStore
from emurl_core.configuration import HOME_VARIABLE
from emurl_core.profiles import PROFILE_VARIABLE, Profile, load_profile
from emurl_core.watching import WatchConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Leaves with 0 when the command did it, 1 with one line of explanation when it could not."""
    _log_to_stderr()
    try:
        rest = _global_options(sys.argv[1:] if arguments is None else arguments)
        chosen = tyro.cli(_subcommands(load_profile()), prog="emurl", description=_DESCRIPTION, args=rest)
        status = chosen.run(ArtifactStore()) if isinstance(chosen, commands.Command) else int(chosen or 0)
    except (ValueError, OSError) as error:
        if os.environ.get("EMURL_TRACEBACK"):
            traceback.print_exc()
        print(f"emurl: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print("emurl: interrupted; run the same command again to go on", file=sys.stderr)
        status = 130
    sys.exit(status)


def _log_to_stderr() -> None:
    """Our own messages from INFO, everybody else's from WARNING: database migrations alone would fill a screen."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.startswith("emurl"))


_GLOBAL = {"--profile": PROFILE_VARIABLE, "--home": HOME_VARIABLE}
_DESCRIPTION = (
    "Teach an agent to play a Game Boy game from speedrun videos. "
    "Before the command: --profile NAME|FILE.toml chooses the defaults (or $EMURL_PROFILE; 'demo' if unset), "
    "--home DIR the data folder (or $EMURL_HOME; ./data if unset)."
)


def _global_options(arguments: Sequence[str]) -> list[str]:
    """Take --profile and --home off the front: they decide the defaults of all the others, so they are read first."""
    rest = list(arguments)
    while rest and (name := rest[0].split("=")[0]) in _GLOBAL:
        option, _, value = rest.pop(0).partition("=")
        if not value and not rest:
            raise ValueError(f"found {option} without a value, expected one; give it after a space or '='")
        value = value or rest.pop(0)
        # Environment variables, so that processes started from here agree about both.
        os.environ[_GLOBAL[name]] = os.path.abspath(os.path.expanduser(value)) if name == "--home" else value
    return rest


def _subcommands(profile: Profile) -> Any:
    c = commands
    defaults: dict[str, Any] = {
        "scrape": c.Scrape(profile.scrape),
        "download": c.Download(profile.download),
        "outcomes": c.Outcomes(),
        "videos": c.Videos(),
        "extract": c.Extract(profile.frames, profile.game, profile.download),
        "crops": c.Crops(profile.frames, tyro.MISSING),
        "crops-report": c.CropsReport(profile.frames),
        "dataset": c.Dataset(profile.dataset),
        "tokenizer": c.Tokenizer(profile.tokenizer, profile.game, profile.runtime),
        "dynamics": c.Dynamics(profile.dynamics, profile.runtime),
        "reward": c.Reward(profile.reward, profile.runtime),
        "compare-rewards": c.CompareRewards(
            profile.reward_comparison, profile.reward, profile.game, profile.runtime
        ),
        "reward-truth": c.RewardTruth(profile.reward_truth, profile.game, profile.runtime),
        "ood": c.Ood(profile.ood, profile.game, profile.runtime),
        "clips": c.Clips(profile.clips, profile.download),
        "inverse-dynamics": c.InverseDynamics(profile.inverse_dynamics, profile.game, profile.runtime),
        "label-actions": c.LabelActions(profile.action_labels, profile.runtime),
        "label-truth": c.LabelTruth(profile.label_truth),
        "clone": c.Clone(profile.warm_start, profile.game, profile.runtime),
        "policy": c.Policy(profile.policy, profile.game, profile.runtime),
        "evaluate": c.Evaluate(profile.evaluation, profile.game, profile.runtime),
        "compare-policies": c.ComparePolicies(),
        "starts": c.Starts(profile.game),
        "watch": c.Watch(WatchConfig(), profile.game, profile.runtime),
        "validate": c.Validate(profile.validation, profile.game, profile.runtime, profile),
        "lineage": c.Lineage(),
        "retract": c.Retract(),
    }
    parts: list[Any] = [
        Annotated[type(default), tyro.conf.subcommand(name, default=default)]
        for name, default in defaults.items()
    ]
    for entry in entry_points(group="emurl.commands"):
        parts += [
            Annotated[None, tyro.conf.subcommand(name, constructor=function)]
            for name, function in entry.load().items()
        ]
    return Union[tuple(parts)]  # noqa: UP007 - built from a list


if __name__ == "__main__":
    main()
