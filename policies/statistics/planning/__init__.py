"""Planning: power, sample size, the least effect that can be seen, and the days still needed."""
