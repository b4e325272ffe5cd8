"""The user's own pictures as a source: which LoRA was used with which words. Nothing is written,
nothing leaves the machine.
"""
