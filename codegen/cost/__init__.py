"""Predicted resources: linear in the templates' features, with coefficients fitted to synthesized and packed points.

Each template says what it is made of (``features()``: bits of adders, of products, of registers, …). For each family
``<family>.yaml`` holds, per template, how many LUTs and flip-flops one of each costs; ``benchmarks/cost_model.py``
makes those files by synthesis. Block memories are not fitted but counted, from the aspect ratios of the family's block.
"""

from .model import blocks, estimate, fork, known, link, predict, queue

__all__ = ["blocks", "estimate", "fork", "known", "link", "predict", "queue"]
