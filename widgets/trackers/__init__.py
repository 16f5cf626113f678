"""The page of trackers: known ones, those that wait to be adopted, and blocked ones."""
