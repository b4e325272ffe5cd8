"""Tags: how strongly each pick is applied, its trigger words, and the prompt of each batch with
them written in.
"""
