"""The catalogue on disk: cards, descriptions, files and the user's edits. In: entries and edits.
Out: the same, whatever happened.
"""
