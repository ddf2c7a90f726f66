"""What is kept in Redis, under which keys, and how is it changed without counting anything twice?"""
