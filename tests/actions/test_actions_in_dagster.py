"""The assets of the group `actions`, materialized in order on real recordings."""

import dagster as dg
from policy_inputs import DYNAMICS, TOKENIZER
from recorded_play import TINY_INVERSE

from emurl_core.actions import CloningConfig, cut_clips
from emurl_core.actions.clips import ClipsConfig
from emurl_core.dynamics import train_dynamics
from emurl_core.policy import PolicyConfig
from emurl_core.profiles import Profile
from emurl_core.runtime import RuntimeConfig
from emurl_core.sources.scrape import ScrapeConfig
from emurl_core.tokenizer import train_tokenizer
from emurl_pipeline.definitions import ACTIONS, build


def test_clips_become_a_cloned_policy_and_each_asset_says_what_it_made(recorded, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    tokenizer = train_tokenizer(recorded.dataset, TOKENIZER, recorded.context)
    train_dynamics(recorded.dataset, tokenizer, DYNAMICS, recorded.context)
    profile = Profile(
        runtime=RuntimeConfig(device="cpu", threads=1),
        scrape=ScrapeConfig(source="synthetic", game="embedded"),
        inverse_dynamics=TINY_INVERSE,
        warm_start=CloningConfig(steps=4, batch_size=8, validate_every=0, warmup_steps=1, sure=0.0),
        policy=PolicyConfig(warm_start=True),
    )
    job = build(profile, recorded.store.home).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        done = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(a) for a in ACTIONS])
        assert done.success
        made = {
            e.asset_key.to_user_string(): e.materialization for e in done.get_asset_materialization_events()
        }
    assert set(made) == set(ACTIONS)
    for name, materialization in made.items():
        version = materialization.tags["dagster/data_version"]
        assert recorded.store.get(name, version).path.is_dir()
    (check,) = [e for e in done.get_asset_check_evaluations() if e.check_name == "inverse_dynamics_gate"]
    assert check.passed
    assert (
        cut_clips(recorded.dataset, ClipsConfig(workers=1), recorded.context).id
        == recorded.store.get("clips").id
    )
