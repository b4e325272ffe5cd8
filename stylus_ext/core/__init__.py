"""Pure: types and rules. No I/O, no clock, no network; randomness is passed in."""
