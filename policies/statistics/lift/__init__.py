"""Lift: how far apart are two means, relative to the control?"""
