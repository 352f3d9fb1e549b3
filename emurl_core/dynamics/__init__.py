"""Stage `dynamics`: what the next frame's tokens will be, given the last two frames'."""

from emurl_core.dynamics.loading import load_dynamics
from emurl_core.dynamics.model import Dynamics, DynamicsConfig
from emurl_core.dynamics.training import train_dynamics
from emurl_core.dynamics.transformer import Transformer

__all__ = ["Dynamics", "DynamicsConfig", "Transformer", "load_dynamics", "train_dynamics"]
