"""Files that come with Stylus: `starter.jsonl`, facts about popular adapters, one JSON object per line (see README.md)."""
