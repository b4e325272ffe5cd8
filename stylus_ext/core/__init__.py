"""Pure types and rules shared by both processes: no I/O, clock or network; randomness is passed."""
