"""The parts of the step `monitor`, and what evaluate leaves for it."""
