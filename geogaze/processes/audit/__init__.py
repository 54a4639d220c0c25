"""The process ``audit``: does a network look at the object, or at what surrounds it?"""
