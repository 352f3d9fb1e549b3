"""The machine: room on the disk, and what computes."""

import shutil

import torch

from emurl_core.artifacts import ArtifactStore
from emurl_core.runtime import pick_device
from emurl_core.validation.finding import Finding, Plan, Verdict

ENOUGH_DISK_BYTES = 10_000_000_000
LEAST_DISK_BYTES = 1_000_000_000


def check_disk(plan: Plan, store: ArtifactStore) -> Finding:
    """WARN below 10 GB, FAIL below 1 GB."""
    store.home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.home).free
    verdict: Verdict = "OK" if free >= ENOUGH_DISK_BYTES else "WARN" if free >= LEAST_DISK_BYTES else "FAIL"
    message = f"{free / 1e9:,.1f} GB free under {store.home} (10 GB are comfortable)"
    return Finding("disk", verdict, message, {"free_gb": free / 1e9})


def check_device(plan: Plan, store: ArtifactStore) -> Finding:
    """FAIL where the device asked for is absent, or computes something else than it should."""
    device = pick_device(plan.runtime)
    ones = torch.ones(64, 64, device=device)
    right = bool(((ones @ ones) == 64).all())
    name = f"CPU, {torch.get_num_threads()} threads"
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    return Finding(
        "device",
        "OK" if right else "FAIL",
        f"{name}, torch {torch.__version__}"
        + ("" if right else ": found a wrong matrix product; use another device"),
        {"cuda": float(device.type == "cuda"), "threads": float(torch.get_num_threads())},
    )
