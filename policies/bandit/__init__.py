"""What do all bandits share: their parameters, what they believe of each arm, and when they move?"""
