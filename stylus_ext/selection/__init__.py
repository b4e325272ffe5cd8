"""What a user can ask for, written over the ports; wiring alone names back ends."""
