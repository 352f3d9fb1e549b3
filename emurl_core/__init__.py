"""EmuRL's library: everything about games, videos, models and policies. Knows no orchestrator."""
