"""Difference: how far apart are two rates or two means, treatment minus control?"""
