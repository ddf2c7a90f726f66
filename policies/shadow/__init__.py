"""How is a shadow's answer compared with the client's, and what do many such pairs say?"""
