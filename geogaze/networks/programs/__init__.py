"""Networks that bring their own program, as ``torch.export`` writes them: no code of anybody's."""
