"""The admin API: its endpoints, and how they are served and described."""
