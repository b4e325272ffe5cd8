"""StyleInject adapters (arXiv 2401.13942): layers, files, attaching to a UNet, baking to a LoRA.

The paper's code, sizes and exact equations are not public. This is our implementation of the
mechanism that its abstract describes, and the reading of the variance step is ours.
"""
