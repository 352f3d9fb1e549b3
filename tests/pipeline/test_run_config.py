import dagster as dg
import pytest
from dagster import validate_run_config

from emurl_core.profiles import Profile, load_profile
from emurl_pipeline.assets import frames, sources
from emurl_pipeline.definitions import ACTIONS, ASSETS, ON_REQUEST, build
from emurl_pipeline.run_config import core_config, run_config_class

SECTIONS = sorted(Profile.model_fields)
OF_ASSET = {
    "speedrun_runs": "scrape",
    "videos": "download",
    "frames": "frames",
    "frame_dataset": "dataset",
    "reward_model": "reward",
    "ood_detector": "ood",
}


@pytest.mark.parametrize("profile", ["demo", "full"])
@pytest.mark.parametrize("section", SECTIONS)
def test_a_configuration_survives_the_way_to_dagster_and_back(section, profile):
    original = getattr(load_profile(profile), section)
    assert core_config(run_config_class(original)(), type(original)) == original


@pytest.mark.parametrize("section", SECTIONS)
def test_names_defaults_and_descriptions_are_those_of_the_library(section):
    original = getattr(load_profile("demo"), section)
    derived = run_config_class(original).model_fields
    assert list(derived) == list(type(original).model_fields)
    for name, field in type(original).model_fields.items():
        assert field.description, f"{section}.{name} has no description"
        assert derived[name].description == field.description
        default = getattr(original, name)
        assert derived[name].default == (list(default) if isinstance(default, tuple) else default)


@pytest.mark.parametrize("asset", [*ASSETS, *ACTIONS, *ON_REQUEST])
def test_the_launchpad_offers_the_settings_of_the_profile(asset):
    profile = load_profile("demo")
    job = build(profile).resolve_implicit_global_asset_job_def()
    given = validate_run_config(job, {})["ops"][asset]["config"]
    wanted = getattr(profile, OF_ASSET.get(asset, asset)).model_dump(mode="json", exclude_none=True)
    assert {k: v for k, v in given.items() if v is not None} == wanted


def test_a_misspelt_setting_is_refused_before_anything_runs():
    job = build("demo").resolve_implicit_global_asset_job_def()
    with pytest.raises(dg.DagsterInvalidConfigError, match="stepps"):
        validate_run_config(job, {"ops": {"tokenizer": {"config": {"stepps": 3}}}})


def test_a_value_out_of_range_is_a_failure_that_names_the_setting():
    original = load_profile("demo").tokenizer
    with pytest.raises(dg.Failure, match="steps") as caught:
        core_config(run_config_class(original)(steps=0), type(original))
    assert caught.value.allow_retries is False


def test_a_setting_from_the_launchpad_reaches_the_stage():
    original = load_profile("demo").evaluation
    changed = run_config_class(original)(players=["random"], episodes=3)
    assert core_config(changed, type(original)) == original.model_copy(
        update={"players": ("random",), "episodes": 3}
    )


def test_every_stage_module_builds_assets_of_its_own_group():
    profile = load_profile("demo")
    for module in (sources, frames):
        groups = {group for a in module.assets(profile) for group in _groups(a)}
        assert groups == {module.__name__.rsplit(".", 1)[1]}


def _groups(asset: dg.AssetsDefinition | dg.AssetSpec) -> set[str]:
    specs = [asset] if isinstance(asset, dg.AssetSpec) else asset.specs
    return {str(s.group_name) for s in specs}
