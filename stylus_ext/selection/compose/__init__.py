"""Who splits the prompt into tasks and gives each its adapters."""
