"""Measuring geogaze on this machine. Every figure is a ratio within one run."""
