"""Prompt processing: tokens, segments, phrases and words; insertion that changes nothing else."""
