"""How well the simulator predicts the published numbers: targets, floor, worst rows, the page."""
