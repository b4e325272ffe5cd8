"""The private environment of the engine: built, switched, checked, removed. Standard library
only.
"""
