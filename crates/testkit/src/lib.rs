//! Simulated clock, chance and disk, and the script runner.
