"""Synthetic speedruns: a scripted player finishes the embedded game, a streamer's layout goes around it, an mp4 comes out.

`playthrough` plays, `layout` says where everything is, `compose` draws, `record` encodes and writes the truth beside.
Only tests and benchmarks read the truth (`truth`); the pipeline sees a video like any other. The source plug-in that
lists these runs is `emurl_core.sources.synthetic`.
"""
