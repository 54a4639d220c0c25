"""The page in a job's folder: its own scripts in ``app``, libraries in ``vendor``."""
