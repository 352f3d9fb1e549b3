"""The graph: one module for each stage of the library, under the same name."""
