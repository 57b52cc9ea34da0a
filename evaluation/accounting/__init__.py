"""How much was the business cycle: the ladder of adjustments, the waterfall of the raw change, and what a bad control would cost."""
