"""Units to USD: the estimate before, the bill after."""
