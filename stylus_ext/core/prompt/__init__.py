"""The user's prompt: text in, tokens, segments, pieces and words out; and text put in without
touching what is there.
"""
