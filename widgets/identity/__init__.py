"""The identity map on the screen: what is suggested, what nothing matches, what is joined, and what was done."""
