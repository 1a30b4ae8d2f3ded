"""Plain ability: questions with one right answer, to see what a dose costs."""
