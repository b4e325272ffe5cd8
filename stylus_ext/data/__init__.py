"""Files that come with Stylus (see README.md): facts about popular adapters, the weights of the
ranker, common words.
"""
