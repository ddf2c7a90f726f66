"""What does a request cost, against the proxies that people run, and what does a worker hold in memory?"""
