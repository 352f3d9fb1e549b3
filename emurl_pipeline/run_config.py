"""Dagster's run config, derived from the library's configuration classes: same names, same defaults, same descriptions.

So the Launchpad, the command line and the profiles cannot drift apart. The values themselves are in the profiles.
"""

import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import dagster as dg
from pydantic import Field, ValidationError, create_model

from emurl_core.configuration import StageConfig

C = TypeVar("C", bound=StageConfig)


def run_config_class(defaults: StageConfig, base: type = dg.Config) -> Any:
    """A Dagster class with the fields of a configuration, whose defaults are the given values.

    Args:
        defaults: the configuration as the profile has it.
        base: `dg.Config` for an asset's own settings, `dg.ConfigurableResource` for shared ones.
    """
    fields: dict[str, Any] = {}
    for name, field in type(defaults).model_fields.items():
        default = getattr(defaults, name)
        default = list(default) if isinstance(default, tuple) else default
        fields[name] = (dagster_type(field.annotation), Field(default=default, description=field.description))
    return create_model(type(defaults).__name__, __base__=base, __doc__=type(defaults).__doc__, **fields)


def core_config(given: Any, kind: type[C]) -> C:
    """The library's configuration out of Dagster's, with all the library's own checks.

    Raises:
        dg.Failure: a value is out of range; says which, and is not retried.
    """
    values = {name: getattr(given, name) for name in kind.model_fields}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{e['loc'][0] if e['loc'] else '-'}: {e['msg']}" for e in error.errors())
        raise dg.Failure(
            f"the run config does not fit {kind.__name__}: {problems}; correct it in the Launchpad or the profile",
            allow_retries=False,
        ) from error


def dagster_type(annotation: Any) -> Any:
    """The nearest type a Dagster config field may have: tuples become lists, choices among numbers plain numbers."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal and not all(isinstance(a, str) for a in arguments):
        # Dagster's choices are strings only; which numbers are right the library checks itself.
        return type(arguments[0])
    if origin is tuple:
        element = dagster_type(arguments[0]) if arguments else str
        # Nor has it lists of choices.
        return list[str] if get_origin(element) is Literal else list[element]  # type: ignore[valid-type]
    if origin in (Union, types.UnionType):
        return Union[tuple(dagster_type(a) for a in arguments)]  # noqa: UP007
    return annotation
