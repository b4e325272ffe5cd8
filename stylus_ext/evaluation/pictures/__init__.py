"""Compare pictures made with and without Stylus: make them, measure them, report."""
