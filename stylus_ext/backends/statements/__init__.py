"""What strangers state about an adapter, in JSON of whatever quality: data goes in, clean facts
come out. Shared by the sources of cards.
"""
