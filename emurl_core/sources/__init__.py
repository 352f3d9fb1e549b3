"""Where speedruns come from, and how their videos get here.

`registry` names the sources, `scrape` lists their runs as one table, `download` brings one video in and checks it.
What is in the pictures is the business of `emurl_core.frames`.
"""
