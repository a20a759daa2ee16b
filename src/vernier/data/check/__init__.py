"""What is wrong in a data set, found before the first step."""
